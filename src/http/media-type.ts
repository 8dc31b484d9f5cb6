const QUALITY = /^(?:0(?:\.\d{0,3})?|1(?:\.0{0,3})?)$/;

/** A range of an `Accept` header, such as `image/*;q=0.5`. */
interface MediaRange {
  range: string;
  quality: number;
}

/**
 * The media type to answer with (RFC 9110, 12.5.1): the one that the `Accept` header gives the highest quality; among
 * equals the one it names most exactly, then the one it names first, then the one that is offered first. Where it takes
 * none of them, the first is better than nothing. Parameters of a range other than `q` are not looked at.
 * @param offered in lower case, the server's choice first
 */
export function preferredMediaType<T extends string>(
  accept: string | undefined,
  offered: readonly [T, ...T[]],
): T {
  if (accept === undefined) return offered[0];
  const ranges = rangesOf(accept);
  const ranked = offered
    .map((type) => ({ type, ...matchOf(type, ranges) }))
    .filter(({ quality }) => quality > 0)
    .sort((a, b) => b.quality - a.quality || b.exactness - a.exactness || a.place - b.place);
  return ranked[0]?.type ?? offered[0];
}

/** How the header takes a type: by the range that names it most exactly. */
function matchOf(type: string, ranges: readonly MediaRange[]) {
  const patterns = ['*/*', `${type.split('/')[0]}/*`, type];
  for (let exactness = patterns.length - 1; exactness >= 0; exactness--) {
    const place = ranges.findIndex(({ range }) => range === patterns[exactness]);
    if (place >= 0) return { quality: ranges[place]!.quality, exactness, place };
  }
  return { quality: 0, exactness: 0, place: 0 };
}

/** The ranges in their order, without those whose quality is none. */
function rangesOf(accept: string): MediaRange[] {
  const withoutQuotedText = accept.toLowerCase().replace(/"[^"]*"/g, '');
  return withoutQuotedText.split(',').flatMap((item) => {
    const [range = '', ...parameters] = item.split(';').map((part) => part.trim());
    const given = parameters.find((parameter) => parameter.startsWith('q='))?.slice('q='.length) ?? '1';
    return QUALITY.test(given) ? [{ range, quality: Number(given) }] : [];
  });
}

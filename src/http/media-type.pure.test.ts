import { describe, expect, test } from 'vitest';
import { preferredMediaType } from './media-type.ts';

const JSON_TYPE = 'application/json';
const PNG = 'image/png';
const SVG = 'image/svg+xml';
const chosen = (accept?: string) => preferredMediaType(accept, [JSON_TYPE, PNG, SVG]);

describe('the media type of an answer', () => {
  test.each([
    ['is the first one offered without a header', undefined, JSON_TYPE],
    ['is the first one offered for an empty header', '', JSON_TYPE],
    ['is the first one offered for any type', '*/*', JSON_TYPE],
    ['is the first one offered where nothing offered is taken', 'text/html, audio/*', JSON_TYPE],
    ['is the one asked for', PNG, PNG],
    ['is the one asked for, in whatever case', 'IMAGE/PNG', PNG],
    ['is the first one offered of a range', 'image/*', PNG],
    ['is that of the highest quality', 'application/json, image/png;q=0.1', JSON_TYPE],
    ['is that of the highest quality, wherever it stands', 'image/png;q=0.1, image/svg+xml;q=0.9', SVG],
    ['is that of the highest quality, with spaces and in capitals', 'image/png ; Q=0.5 , image/svg+xml', SVG],
    ['is never one of quality 0', 'image/png;q=0', JSON_TYPE],
    ['is never one of quality 0.000', 'image/png;q=0.000, image/*;q=0.1', SVG],
    ['is never one that its own range excludes', 'image/png;q=0, */*', JSON_TYPE],
    ['is another one where the first offered is excluded', 'application/json;q=0, */*;q=0.1', PNG],
    ['is the first one named among equals', 'image/svg+xml, image/png', SVG],
    ['is the first one named among equals, JSON too', 'image/png, application/json', PNG],
    ['is the one named most exactly among equals', '*/*, image/svg+xml', SVG],
    ['is that of the exact range, not of the wide one', 'image/*, image/png;q=0.2', SVG],
    ['is that of a browser that shows an image', 'image/avif,image/svg+xml,image/*,*/*;q=0.8', SVG],
    ['is that of a browser that opens a page', 'text/html,application/xml;q=0.9,*/*;q=0.8', JSON_TYPE],
    ['passes over a quality that is none', 'image/png;q=2, image/svg+xml;q=high', JSON_TYPE],
    ['passes over other parameters', 'image/png;a="x, image/svg+xml;q=0";q=0.9', PNG],
    ['is no part of a longer name', 'image/png2, ximage/svg+xml', JSON_TYPE],
  ])('%s: %s', (_rule, accept, type) => {
    expect(chosen(accept)).toBe(type);
  });
});

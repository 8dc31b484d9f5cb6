import { escapeHtml, prose } from '../../lib/html.ts';
import { PAGE_TOP_STYLES, pageTop } from '../../lib/page-top.ts';
import type { OpenApiDocument } from '../openapi/document.ts';
import { introduction } from './introduction.ts';
import { anchorOf, operationSection, type Place } from './operation.ts';

/**
 * The reference page: an introduction, then every operation of the document in its group. It is whole without scripts;
 * the one it loads adds buttons that copy.
 * @param baseUrl the address that the examples call, without a slash at its end
 */
export function referencePage(document: OpenApiDocument, baseUrl: string): string {
  const groups = groupsOf(document);
  const version = document.info?.version ?? '';
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>API reference · WOTP</title>
<link rel="icon" href="/assets/logo.svg" type="image/svg+xml">
<link rel="stylesheet" href="/assets/reference.css">
${PAGE_TOP_STYLES}
<script type="module" src="/assets/reference.js"></script>
</head>
<body>
${pageTop(`API reference ${version}`, [
  ['/docs/errors', 'Errors'],
  ['/openapi.json', 'OpenAPI (JSON)'],
  ['/openapi.yaml', 'YAML'],
])}
<nav class="contents" aria-label="Contents">
<details id="contents"><summary>Contents</summary>
${contents(groups)}
</details>
</nav>
<main id="content">
${introduction(baseUrl)}
${groups.map(([name, places]) => groupSection(name, places, document, baseUrl)).join('\n')}
</main>
</body>
</html>
`;
}

type Group = [name: string, places: Place[]];

/** The operations by their tag, in the order of the tags and of the paths. */
function groupsOf({ paths = {}, tags = [] }: OpenApiDocument): Group[] {
  const groups = new Map<string, Place[]>(tags.map(({ name }) => [name, []]));
  for (const [path, operations] of Object.entries(paths)) {
    for (const [method, operation] of Object.entries(operations)) {
      for (const name of operation.tags ?? []) groups.get(name)?.push({ method, path, operation });
    }
  }
  return [...groups];
}

const groupId = (name: string) => name.toLowerCase().replaceAll(' ', '-');

function contents(groups: Group[]): string {
  const start =
    '<li><a href="#first-request">Your first request</a></li><li><a href="#authentication">Authentication</a></li><li><a href="#conventions">Conventions</a></li>';
  const lists = groups.map(
    ([name, places]) =>
      `<p><a href="#${groupId(name)}">${escapeHtml(name)}</a></p><ul>${places
        .filter(({ operation }) => !operation.deprecated)
        .map((place) => `<li><a href="#${anchorOf(place)}">${prose(place.operation.summary ?? '')}</a></li>`)
        .join('')}</ul>`,
  );
  return `<p>Start</p><ul>${start}</ul>${lists.join('')}`;
}

function groupSection(name: string, places: Place[], document: OpenApiDocument, baseUrl: string): string {
  const id = groupId(name);
  const description = document.tags?.find((tag) => tag.name === name)?.description;
  return `<section class="group" aria-labelledby="${id}">
<h2 id="${id}">${escapeHtml(name)}</h2>
${description ? `<p>${prose(description)}</p>` : ''}
${places.map((place) => operationSection(place, document, baseUrl)).join('\n')}
</section>`;
}

import { prose } from '../lib/html.ts';
import { PAGE_TOP_STYLES, pageTop } from '../lib/page-top.ts';
import { ERROR_CODES } from './codes.ts';

/** The text of `docs/ERRORS.md`, made from the table of codes. */
export function errorsPage(): string {
  const sections = Object.entries(ERROR_CODES).map(
    ([code, entry]) =>
      `## ${code}\n\n**${entry.status}** · ${entry.title}\n\n${entry.meaning}\n\n*What to do:* ${entry.whatToDo}\n`,
  );
  return `# Errors

Every error is an \`application/problem+json\` document
([RFC 9457](https://www.rfc-editor.org/rfc/rfc9457)): \`type\` (a link into this page), \`title\`, \`status\`,
\`detail\`, \`code\`, \`requestId\`, \`errors\` where single fields are wrong, and v3's \`success: false\` and
\`error\`. Decide by \`code\`: it never changes. This page is generated from \`src/errors/codes.ts\`.

| code | status | title |
|---|---|---|
${Object.entries(ERROR_CODES)
  .map(([code, entry]) => `| [${code}](#${code.toLowerCase()}) | ${entry.status} | ${entry.title} |`)
  .join('\n')}

${sections.join('\n')}`;
}

/** A code that a narrow table breaks at its underscores. */
const breakable = (code: string) => code.replaceAll('_', '_<wbr>');

/** The same page for browsers. The `type` of a problem leads to the section of its code. */
export function errorsHtml(): string {
  const entries = Object.entries(ERROR_CODES);
  const rows = entries.map(
    ([code, { status, title }]) =>
      `<tr><td><a href="#${code}"><code>${breakable(code)}</code></a></td><td>${status}</td><td>${prose(title)}</td></tr>`,
  );
  const sections = entries.map(
    ([code, { status, title, meaning, whatToDo }]) =>
      `<section id="${code}"><h2><code>${code}</code> ${status}</h2><p><strong>${prose(title)}.</strong> ${prose(meaning)}</p><p>${prose(whatToDo)}</p></section>`,
  );
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Errors · WOTP</title>
<link rel="icon" href="/assets/logo.svg" type="image/svg+xml">
<link rel="stylesheet" href="/assets/errors.css">
${PAGE_TOP_STYLES}
</head>
<body>
${pageTop('Errors', [
  ['#content', 'All codes'],
  ['/docs', 'API reference'],
])}
<main id="content">
<h1>Errors</h1>
<p>Every error is an <code>application/problem+json</code> document (RFC 9457). Decide by its <code>code</code>: it never changes.</p>
<table>
<thead><tr><th>code</th><th>status</th><th>title</th></tr></thead>
<tbody>
${rows.join('\n')}
</tbody>
</table>
${sections.join('\n')}
</main>
</body>
</html>
`;
}

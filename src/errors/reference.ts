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

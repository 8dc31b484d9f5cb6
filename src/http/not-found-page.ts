import type { FastifyReply, FastifyRequest } from 'fastify';
import { PAGE_TOP_STYLES, pageTop } from '../lib/page-top.ts';
import { preferredMediaType } from './media-type.ts';
import { staticFile } from './static-files.ts';

const PAGE = staticFile(
  'not-found.html',
  `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Page not found · WOTP</title>
<link rel="icon" href="/assets/logo.svg" type="image/svg+xml">
<link rel="stylesheet" href="/assets/errors.css">
${PAGE_TOP_STYLES}
</head>
<body>
${pageTop('Page not found', [
  ['/docs', 'API reference'],
  ['/docs/errors', 'Errors'],
])}
<main id="content">
<h1>Page not found</h1>
<p>There is nothing at this address. Check it for typing errors, or go on here:</p>
<ul>
<li><a href="/">Start page</a></li>
<li><a href="/docs">API reference</a></li>
<li><a href="/docs/errors">Error codes</a></li>
</ul>
</main>
</body>
</html>
`,
);

const OFFERED = ['application/json', 'application/problem+json', 'text/html'] as const;

/** Whether somebody opened an address outside the API in a browser: only a browser asks for HTML before JSON. */
export function isOpenedInBrowser({ method, url, headers }: FastifyRequest): boolean {
  if (!['GET', 'HEAD'].includes(method) || /^\/api(\/|$)/.test(url)) return false;
  return preferredMediaType(headers.accept, OFFERED) === 'text/html';
}

/** Answers with the page that says that there is nothing at the address. */
export function sendNotFoundPage(reply: FastifyReply): FastifyReply {
  return reply.code(404).header('vary', 'accept').type(PAGE.type).send(PAGE.body);
}

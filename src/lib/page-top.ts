import { escapeHtml } from './html.ts';

/** The style sheet that {@link pageTop} needs, beside one with the colours. */
export const PAGE_TOP_STYLES = '<link rel="stylesheet" href="/assets/top.css">';

/** The bar at the top of a document: home, what it is, and the way to the others; `links` are pairs of address and name. */
export function pageTop(title: string, links: readonly (readonly [href: string, name: string])[]): string {
  const anchors = links.map(([href, name]) => `<a href="${escapeHtml(href)}">${escapeHtml(name)}</a>`);
  return `<a class="skip" href="#content">Skip to the content</a>
<header class="top">
<a class="brand" href="/"><img src="/assets/logo.svg" width="28" height="28" alt=""> WOTP</a>
<span class="version">${escapeHtml(title)}</span>
<nav class="links" aria-label="Documents">${anchors.join(' ')}</nav>
</header>`;
}

// @ts-check
/** The reference page without this script is whole. With it, code can be copied and wide screens show the contents. */

const contents = document.querySelector('#contents');
if (contents instanceof HTMLDetailsElement) contents.open = matchMedia('(width >= 64rem)').matches;

for (const figure of document.querySelectorAll('figure.code')) {
  const code = figure.querySelector('code');
  const caption = figure.querySelector('figcaption');
  if (!code || !caption || !navigator.clipboard) continue;
  const button = document.createElement('button');
  button.type = 'button';
  button.textContent = 'Copy';
  button.setAttribute('aria-label', `Copy: ${caption.textContent}`);
  button.addEventListener('click', async () => {
    await navigator.clipboard.writeText(code.textContent ?? '');
    button.textContent = 'Copied';
    setTimeout(() => {
      button.textContent = 'Copy';
    }, 2_000);
  });
  caption.append(button);
}

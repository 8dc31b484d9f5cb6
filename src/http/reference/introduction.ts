import { problemExample } from '../openapi/problem-examples.ts';
import { codeBlock } from './operation.ts';

/** What a newcomer reads first: one code sent and checked, then what holds for every request. */
export function introduction(baseUrl: string): string {
  const send = `curl ${baseUrl}/api/v1/otp/send \\
  -H 'Authorization: Bearer YOUR_API_KEY' \\
  -H 'Content-Type: application/json' \\
  -d '{ "phone": "+62 838 3494 6034" }'`;
  const verify = `curl ${baseUrl}/api/v1/otp/verify \\
  -H 'Authorization: Bearer YOUR_API_KEY' \\
  -H 'Content-Type: application/json' \\
  -d '{ "phone": "+62 838 3494 6034", "code": "482913" }'`;
  const node = `const call = async (path, body) => {
  const answer = await fetch('${baseUrl}/api/v1/' + path, {
    method: 'POST',
    headers: { authorization: 'Bearer YOUR_API_KEY', 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  return { ok: answer.ok, ...(await answer.json()) };
};

await call('otp/send', { phone: '+62 838 3494 6034' });
const check = await call('otp/verify', { phone: '+62 838 3494 6034', code: '482913' });
console.log(check.ok ? 'verified' : check.code);`;
  const problem = JSON.stringify(problemExample('OTP_INCORRECT', { responses: {} }, {}), null, 2);
  return `<h1>API reference</h1>
<p class="lead">WOTP sends a one-time code to a phone and checks what the user types back.</p>
<section aria-labelledby="first-request">
<h2 id="first-request">Your first request</h2>
<ol class="steps">
<li><p><strong>Take an API key.</strong> The first start prints one. Create another with <code>node bin/wotp.js token create</code>.</p></li>
<li><p><strong>Send a code.</strong></p>${codeBlock('Send', send)}</li>
<li><p><strong>Read the code.</strong> In mock mode, the default outside production, the message arrives on the <a href="/">virtual phone</a>. Otherwise it arrives on the phone you named.</p></li>
<li><p><strong>Check the code.</strong> Only a right code is answered with 200.</p>${codeBlock('Check', verify)}</li>
</ol>
<p>The same in Node.js, with nothing to install:</p>
${codeBlock('Node.js', node)}
</section>
<section aria-labelledby="authentication">
<h2 id="authentication">Authentication</h2>
<p>Send an API key as <code>Authorization: Bearer wotp_…</code>. v3 tokens (<code>otp_…</code>) work too. A key has permissions; each operation below names the one it needs. Administrators send the admin password as <code>X-Master-Key</code>.</p>
<p>Keep keys on your server. Nobody needs one in a browser or an app.</p>
</section>
<section aria-labelledby="conventions">
<h2 id="conventions">Conventions</h2>
<h3>Answers</h3>
<p>A success is <code>{ "success": true, "data": … }</code>. A list adds <code>"page": { "next": … }</code>: give it as <code>cursor</code> to get the next page. Times are ISO 8601 in UTC.</p>
<h3>Errors</h3>
<p>An error is a problem document (RFC 9457). Decide by its <code>code</code>; <a href="/docs/errors">every code</a> has its meaning and what to do.</p>
${codeBlock('Error', problem)}
<h3>Safe repetition</h3>
<p>Send an <code>Idempotency-Key</code> with a request that creates something. For 24 hours the same key with the same body gets the first answer again, and nothing is done twice.</p>
<h3>Limits</h3>
<p>Every answer to a key says what is left in <code>RateLimit</code> and <code>RateLimit-Policy</code>. A 429 has a <code>Retry-After</code> in seconds.</p>
</section>`;
}

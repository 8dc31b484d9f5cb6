// @ts-check
// The load, in a process of its own: 32 connections that each send their next request when the last is answered, by
// Node's own HTTP client, as an application's backend would. Prints one line of JSON.
import http from 'node:http';

/**
 * @typedef {object} Load
 * @property {string} url
 * @property {string} key an API key
 * @property {number} first number of the first phone; each request takes the next one
 * @property {number} [count] requests to make; without it the load goes on for `seconds`
 * @property {number} [seconds]
 *
 * @typedef {{ perSecond: number, done: number, ok: number, p50: number, p99: number }} Result times in ms
 */

const CONNECTIONS = 32;
const CODE = '482913';

const {
  url,
  key,
  first,
  count = Number.POSITIVE_INFINITY,
  seconds = Number.POSITIVE_INFINITY,
} = /** @type {Load} */ (JSON.parse(process.argv[2] ?? '{}'));
const { hostname, port, pathname } = new URL(url);
const agent = new http.Agent({ keepAlive: true, maxSockets: CONNECTIONS });
/** @type {number[]} */
const latencies = [];
let started = 0;
let ok = 0;

/** A valid Indonesian mobile number, another for each `n` below 80 million. @param {number} n */
function phone(n) {
  return `+62838${10_000_000 + n}`;
}

/** @param {string} body @returns {Promise<void>} */
function post(body) {
  return new Promise((resolve, reject) => {
    const headers = {
      'content-type': 'application/json',
      'content-length': body.length,
      authorization: `Bearer ${key}`,
    };
    const begun = performance.now();
    const request = http.request(
      { agent, hostname, port, path: pathname, method: 'POST', headers },
      (answer) => {
        answer.resume();
        answer.on('end', () => {
          latencies.push(performance.now() - begun);
          if ((answer.statusCode ?? 500) < 300) ok += 1;
          resolve();
        });
      },
    );
    request.on('error', reject);
    request.end(body);
  });
}

const begun = performance.now();
const end = begun + seconds * 1000;
async function connection() {
  while (started < count && performance.now() < end) {
    const body = JSON.stringify({ phone: phone(first + started++), code: CODE });
    await post(body);
  }
}
await Promise.all(Array.from({ length: CONNECTIONS }, connection));

const perSecond = latencies.length / ((performance.now() - begun) / 1000);
latencies.sort((a, b) => a - b);
/** @param {number} share */
const quantile = (share) => latencies[Math.floor(latencies.length * share)] ?? 0;
console.log(
  JSON.stringify({ perSecond, done: latencies.length, ok, p50: quantile(0.5), p99: quantile(0.99) }),
);
agent.destroy();

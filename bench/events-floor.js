// @ts-check
// What a bare POST over a kept connection costs with Node's own client: node events-floor.js ADDRESS COUNT prints µs of
// processor time a request.
import http from 'node:http';

const CONNECTIONS = 20;
const body = JSON.stringify({ type: 'message.delivered', data: 'x'.repeat(250) });
const headers = {
  'content-type': 'application/json',
  'content-length': String(body.length),
  'webhook-id': 'evt_01jd3x8zq2e6v9k5m7n0p4r8st',
  'webhook-timestamp': '1795435200',
  'webhook-signature': 'v1,dBH5wXyYhkiux0UuOopfhz6slifBX9UmKAKbwnCsMqM=',
};

const [address = '', count = '1'] = process.argv.slice(2);
const agent = new http.Agent({ keepAlive: true, maxSockets: CONNECTIONS });
const { hostname, port } = new URL(address);

const post = () =>
  new Promise((resolve, reject) => {
    const request = http.request({ agent, hostname, port, path: '/', method: 'POST', headers }, (answer) => {
      answer.resume().on('end', resolve);
    });
    request.on('error', reject);
    request.end(body);
  });

/** @param {number} requests */
async function posts(requests) {
  let begun = 0;
  const connection = async () => {
    while (begun++ < requests) await post();
  };
  await Promise.all(Array.from({ length: CONNECTIONS }, connection));
}

await posts(5_000);
const before = process.cpuUsage();
await posts(Number(count));
const { user, system } = process.cpuUsage(before);
console.log((user + system) / Number(count));
agent.destroy();

// @ts-check
// What every figure is compared with: a Fastify handler that reads the same request body and answers the same answer
// body, and does nothing else. Prints its address.
import Fastify from 'fastify';

const time = '2026-01-15T12:00:00.000Z';
const id = 'ver_01jd3x8zq2e6v9k5m7n0p4r8st';
const common = { id, phone: '+6283810000000', purpose: 'default' };
const sent = {
  ...common,
  messageId: 'msg_01jd3x8zq2e6v9k5m7n0p4r8st',
  channel: 'simulator',
  status: 'pending',
  messageStatus: 'queued',
  expiresAt: time,
  resendAt: time,
  attemptsRemaining: 5,
};

const server = Fastify();
server.post('/api/v1/otp/send', async (_request, reply) =>
  reply.code(201).send({ success: true, data: sent }),
);
server.post('/api/v1/otp/verify', async () => ({
  success: true,
  data: { valid: true, ...common, status: 'verified', verifiedAt: time },
}));
console.log(await server.listen({ host: '127.0.0.1', port: 0 }));

import { createHmac } from 'node:crypto';
import { answering, type Reaction, type Received, startProvider } from './provider-stand-in.ts';

export const TOKEN = 'EAAG-the-token-of-a-system-user';
export const SENDERS = ['106540352242922', '106540352242923'] as const;
export const ACCOUNT = '102290129340398';
export const TEMPLATE = 'verification_code';
export const APP_SECRET = 'the-secret-of-the-app';
export const VERIFY_TOKEN = 'the-verify-token';

/** The settings of a server that sends by this stand-in. */
export const cloudApiSettings = (origin: string) => ({
  CLOUD_API_TOKEN: TOKEN,
  CLOUD_API_PHONE_NUMBER_ID: SENDERS.join(','),
  CLOUD_API_TEMPLATE: TEMPLATE,
  CLOUD_API_LANGUAGES: 'en_US,id,pt_BR',
  CLOUD_API_BASE_URL: origin,
  CLOUD_API_APP_SECRET: APP_SECRET,
  CLOUD_API_VERIFY_TOKEN: VERIFY_TOKEN,
});

/** An error as the Graph API answers it; plain ones have no `error_data`. */
function graphError(code: number, { status = 400, subcode = undefined as number | undefined } = {}) {
  const plain = [0, 4, 100, 190].includes(code);
  return {
    status,
    body: {
      error: {
        message: `(#${code}) Title`,
        type: 'OAuthException',
        code,
        ...(subcode !== undefined && { error_subcode: subcode }),
        ...(!plain && { error_data: { messaging_product: 'whatsapp', details: `Details of ${code}` } }),
        fbtrace_id: 'Az8or2yhqkZfEZ-_4Qn_Bam',
      },
    },
  };
}

export function refusing(
  code: number,
  options: { status?: number; subcode?: number; headers?: Record<string, string> } = {},
): Reaction {
  const { status, body } = graphError(code, options);
  return answering(status, body, options.headers);
}

/** The Graph API on a free port: it checks requests as Meta does, and takes those that are right. */
/** What Graph tells of the first number; of the second it refuses to. */
const FACTS = {
  display_phone_number: '+1 555-078-3881',
  verified_name: 'Acme',
  quality_rating: 'GREEN',
  whatsapp_business_manager_messaging_limit: 'TIER_250',
  throughput: { level: 'STANDARD' },
  id: SENDERS[0],
};

export async function startGraph() {
  const provider = await startProvider();
  /** Languages in which the template is approved. */
  const approved = new Set(['en_US', 'id', 'pt_BR']);
  let count = 0;
  /** What Meta calls the message it took last. */
  const wamids: string[] = [];

  const honest: Reaction = (response, request) => {
    const { status, body } = judge(request);
    answering(status, body)(response, request);
  };

  function judge({ path, headers, body, method }: Received): { status: number; body: unknown } {
    if (headers.authorization !== `Bearer ${TOKEN}`) return graphError(190, { status: 401 });
    const [, version, id, edge] = new URL(path, 'http://graph').pathname.split('/');
    if (version !== 'v25.0') return graphError(2500);
    if (method === 'GET' && id === ACCOUNT && edge === 'message_templates') {
      const data = [...approved].map((language) => ({
        name: TEMPLATE,
        language,
        status: 'APPROVED',
        id: '1',
      }));
      return { status: 200, body: { data } };
    }
    if (method === 'GET' && id === SENDERS[0] && edge === undefined) return { status: 200, body: FACTS };
    if (method !== 'POST' || edge !== 'messages' || !(SENDERS as readonly string[]).includes(id!)) {
      return graphError(100, { subcode: 33 });
    }
    const message = JSON.parse(body);
    if (message.messaging_product !== 'whatsapp') return graphError(100);
    if (!/^\+\d{7,15}$/.test(message.to)) return graphError(131009);
    const { name, language, components } = message.template;
    if (name !== TEMPLATE || !approved.has(language.code)) return graphError(132001, { status: 404 });
    const texts = components.map(({ parameters }: { parameters: { text: string }[] }) => parameters[0]!.text);
    if (texts.length !== 2 || texts[0] !== texts[1]) return graphError(132000);
    if (components[1].type !== 'button' || components[1].sub_type !== 'url' || components[1].index !== '0') {
      return graphError(132012);
    }
    if (texts[0].length > 15) return graphError(132005);
    count += 1;
    const wamid = `wamid.HBgLMTY0NjcwNDM1OTUVAgARGBI${String(count).padStart(20, '0')}`;
    wamids.push(wamid);
    return {
      status: 200,
      body: {
        messaging_product: 'whatsapp',
        // Brazil's and Mexico's may differ from what was sent.
        contacts: [{ input: message.to, wa_id: message.to.slice(1).replace(/^55(\d\d)9/, '55$1') }],
        messages: [{ id: wamid, message_status: 'accepted' }],
      },
    };
  }
  provider.always(honest);

  return {
    ...provider,
    approved,
    wamids,
    honest,
    /** The messages that were asked for, oldest first. */
    messages: () =>
      provider.received.filter(({ method }) => method === 'POST').map(({ body }) => JSON.parse(body)),
    /** The phone number id of each request, oldest first. */
    sendersUsed: () => provider.received.map(({ path }) => path.split('/')[2]),
  };
}

export type GraphStandIn = Awaited<ReturnType<typeof startGraph>>;

export interface GivenStatus {
  id: string;
  status: string;
  at: number;
  ours?: string;
  code?: number;
  sender?: string;
}

/** A status as Meta reports it; since v24 without `conversation`, with the contact unless it failed. */
export function statusChange({ id, status, at, ours, code, sender = SENDERS[0] }: GivenStatus) {
  return {
    field: 'messages',
    value: {
      messaging_product: 'whatsapp',
      metadata: { display_phone_number: '15550783881', phone_number_id: sender },
      ...(status !== 'failed' && {
        contacts: [
          { profile: { name: 'Zoë 🌊' }, wa_id: '6281234567890', user_id: 'US.13491208655302741918' },
        ],
      }),
      statuses: [
        {
          id,
          status,
          timestamp: String(Math.floor(at / 1000)),
          recipient_id: '6281234567890',
          ...(ours !== undefined && { biz_opaque_callback_data: ours }),
          ...(status === 'sent' && {
            pricing: { billable: true, pricing_model: 'PMP', type: 'regular', category: 'authentication' },
          }),
          ...(code !== undefined && {
            errors: [
              { code, title: `Title of ${code}`, message: `Title of ${code}`, error_data: { details: '' } },
            ],
          }),
        },
      ],
    },
  };
}

/** What Meta reports when the recipient of a message taps "I didn't request a code". */
export const disowning = (wamid: string) => ({
  field: 'messages',
  value: {
    messaging_product: 'whatsapp',
    contacts: [{ profile: { name: 'Jo' }, user_id: 'US.13491208655302741918' }],
    messages: [
      {
        from_user_id: 'US.13491208655302741918',
        id: 'wamid.Inbound',
        timestamp: '1767225600',
        type: 'button',
        button: { payload: 'DID_NOT_REQUEST_CODE', text: "I didn't request a code" },
        context: { from: '15550783881', id: wamid },
      },
    ],
  },
});

export const webhookOf = (...changes: unknown[]) => ({
  object: 'whatsapp_business_account',
  entry: [{ id: ACCOUNT, changes }],
});

/** The bytes of a webhook as Meta writes them, escaped to ASCII, and their signature. */
export function signedByMeta(value: unknown, secret = APP_SECRET) {
  const body = JSON.stringify(value)
    .replace(/[\u0080-\uffff]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`)
    .replaceAll('/', '\\/');
  const hmac = createHmac('sha256', secret).update(body).digest('hex');
  return {
    body,
    headers: { 'content-type': 'application/json', 'x-hub-signature-256': `sha256=${hmac}` },
  };
}

import { cleanTyped } from '../lib/typed-text.ts';

/** What a person asks for by writing one of these words and nothing else. */
export type OptOut =
  | {
      wish: 'stop';
      /** What the person is told, in the language of the word. */
      answer: string;
    }
  | { wish: 'start' };

/**
 * Words that ask for no more messages, in the languages of the templates and of other large countries. Words for
 * "cancel" and "end" are not among them: people answer a code with them when they break off what it was for.
 */
const LANGUAGES: readonly { stop: readonly string[]; start: readonly string[]; answer: string }[] = [
  {
    stop: ['stop', 'stop all', 'unsubscribe', 'quit', 'opt out'],
    start: ['start', 'unstop'],
    answer: 'You will get no more messages from this number. To get them again, reply START.',
  },
  {
    stop: ['berhenti', 'henti', 'stop sms', 'stop wa'],
    start: ['mulai'],
    answer: 'Anda tidak akan menerima pesan lagi dari nomor ini. Untuk menerimanya lagi, balas MULAI.',
  },
  {
    stop: ['alto', 'baja', 'detener', 'no más', 'no mas'],
    start: ['iniciar'],
    answer: 'Ya no recibirá mensajes de este número. Para volver a recibirlos, responda INICIAR.',
  },
  {
    stop: ['parar', 'sair', 'pare', 'descadastrar'],
    start: ['iniciar'],
    answer: 'Você não receberá mais mensagens deste número. Para voltar a receber, responda INICIAR.',
  },
  {
    stop: ['arrêt', 'arret', 'arrêter', 'arreter', 'désabonner', 'desabonner'],
    start: ['démarrer', 'demarrer'],
    answer: 'Vous ne recevrez plus de messages de ce numéro. Pour en recevoir à nouveau, répondez DÉMARRER.',
  },
  {
    stop: ['stopp', 'abmelden', 'abbestellen'],
    start: [],
    answer:
      'Sie erhalten keine Nachrichten mehr von dieser Nummer. Um wieder welche zu erhalten, antworten Sie START.',
  },
  {
    stop: ['basta'],
    start: [],
    answer: 'Non riceverà più messaggi da questo numero. Per riceverli di nuovo, risponda START.',
  },
  {
    stop: ['afmelden'],
    start: [],
    answer: 'U ontvangt geen berichten meer van dit nummer. Antwoord START om ze weer te ontvangen.',
  },
  {
    stop: ['dur'],
    start: [],
    answer: 'Bu numaradan artık mesaj almayacaksınız. Yeniden almak için START yazın.',
  },
  {
    stop: ['стоп', 'отписаться'],
    start: ['старт'],
    answer: 'Сообщения с этого номера больше не придут. Чтобы получать их снова, ответьте СТАРТ.',
  },
  {
    stop: ['إيقاف', 'توقف'],
    start: [],
    answer: 'لن تصلك رسائل من هذا الرقم بعد الآن. لاستلامها من جديد، أرسل START.',
  },
  {
    stop: ['रोकें', 'बंद'],
    start: [],
    answer: 'इस नंबर से अब कोई संदेश नहीं आएगा। फिर से पाने के लिए START लिखें।',
  },
  { stop: ['停止', '退订'], start: ['开始'], answer: '此号码将不再向您发送消息。如需恢复，请回复“开始”。' },
  {
    stop: ['配信停止'],
    start: [],
    answer: 'この番号からのメッセージを停止しました。再開するには START と返信してください。',
  },
  {
    stop: ['수신거부'],
    start: [],
    answer: '이 번호에서 더 이상 메시지를 보내지 않습니다. 다시 받으려면 START라고 답장해 주세요.',
  },
];

/**
 * How words are compared: without case, width, spaces, dashes and what nobody sees, wherever it is, and without
 * punctuation at the ends; accents as typed.
 */
function folded(text: string): string {
  return cleanTyped(text.normalize('NFKC'))
    .toLowerCase()
    .replace(/^[^\p{L}\p{N}]+|[^\p{L}\p{M}\p{N}]+$/gu, '');
}

const WORDS = new Map<string, OptOut>(
  LANGUAGES.flatMap(({ stop, start, answer }) => [
    ...stop.map((word): [string, OptOut] => [folded(word), { wish: 'stop', answer }]),
    ...start.map((word): [string, OptOut] => [folded(word), { wish: 'start' }]),
  ]),
);

/** No word is longer; longer texts are not looked at. */
const LENGTH_MAX = 40;

/** Reads a message that consists of nothing but an opt-out word; undefined for every other text. */
export function readOptOut(text: string): OptOut | undefined {
  return text.length > LENGTH_MAX ? undefined : WORDS.get(folded(text));
}

/** What a person asks for by writing one of these words and nothing else. */
export type OptOut = 'stop' | 'start';

/** Words that ask for no more messages, in the languages of the templates and of other large countries. */
const STOP_WORDS = [
  ...['stop', 'stopall', 'stop all', 'unsubscribe', 'cancel', 'end', 'quit', 'optout', 'opt out', 'opt-out'],
  ...['berhenti', 'henti', 'batal', 'stop sms', 'stop wa'],
  ...['alto', 'baja', 'parar', 'detener', 'cancelar', 'no más', 'no mas', 'sair', 'pare', 'descadastrar'],
  ...['arrêt', 'arret', 'arrêter', 'arreter', 'désabonner', 'desabonner'],
  ...['stopp', 'abmelden', 'abbestellen', 'ende', 'basta', 'annulla', 'afmelden', 'dur', 'iptal'],
  ...['стоп', 'отписаться', 'إيقاف', 'توقف', 'रोकें', 'बंद', '停止', '退订', '配信停止', '수신거부'],
];
/** Words that take it back. */
const START_WORDS = ['start', 'unstop', 'mulai', 'iniciar', 'démarrer', 'старт', '开始'];

/** How words are compared: without case, accents as typed, spaces and punctuation at the ends. */
function folded(text: string): string {
  return text
    .normalize('NFC')
    .toLowerCase()
    .replace(/\s+/gu, ' ')
    .replace(/^[^\p{L}\p{N}]+|[^\p{L}\p{M}\p{N}]+$/gu, '');
}

const WORDS = new Map<string, OptOut>([
  ...STOP_WORDS.map((word): [string, OptOut] => [folded(word), 'stop']),
  ...START_WORDS.map((word): [string, OptOut] => [folded(word), 'start']),
]);

/** No word is longer; longer texts are not looked at. */
const LENGTH_MAX = 40;

/** Reads a message that consists of nothing but an opt-out word; undefined for every other text. */
export function readOptOut(text: string): OptOut | undefined {
  return text.length > LENGTH_MAX ? undefined : WORDS.get(folded(text));
}

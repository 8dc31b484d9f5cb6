/** The sentences of the built-in text in one language. */
export interface Sentences {
  code: string;
  /** In place of `code` where there is a brand. The code comes first: a brand may hold digits. */
  codeFor: string;
  valid: string;
  /** In place of `valid` for one minute, where the language needs it. */
  validOne?: string;
  secret: string;
  subject: string;
  subjectFor: string;
}

/**
 * The built-in text in the languages that most users of WhatsApp speak. Minutes are abbreviated, or written so that no
 * plural is needed. English, the first, is for everybody else.
 *
 * No native speaker has reviewed a language other than English yet; `docs/TEMPLATES.md` says so.
 */
export const BUILT_IN_TEXTS: Readonly<Record<string, Sentences>> = {
  en: {
    code: 'Your verification code is {{code}}.',
    codeFor: '{{code}} is your verification code for {{brand}}.',
    valid: 'It is valid for {{expiry}} minutes.',
    validOne: 'It is valid for 1 minute.',
    secret: 'Do not share it with anyone.',
    subject: 'Your verification code',
    subjectFor: 'Your verification code for {{brand}}',
  },
  ar: {
    code: 'رمز التحقق الخاص بك هو {{code}}.',
    codeFor: '{{code}} هو رمز التحقق الخاص بك في {{brand}}.',
    valid: 'مدة صلاحيته بالدقائق: {{expiry}}.',
    secret: 'لا تشاركه مع أي شخص.',
    subject: 'رمز التحقق الخاص بك',
    subjectFor: 'رمز التحقق الخاص بك في {{brand}}',
  },
  bn: {
    code: 'আপনার যাচাইকরণ কোড {{code}}।',
    codeFor: '{{code}} হলো {{brand}}-এ আপনার যাচাইকরণ কোড।',
    valid: 'এটি {{expiry}} মিনিট বৈধ।',
    secret: 'এটি কারও সঙ্গে শেয়ার করবেন না।',
    subject: 'আপনার যাচাইকরণ কোড',
    subjectFor: '{{brand}}-এ আপনার যাচাইকরণ কোড',
  },
  de: {
    code: 'Ihr Bestätigungscode lautet {{code}}.',
    codeFor: '{{code}} ist Ihr Bestätigungscode für {{brand}}.',
    valid: 'Er ist {{expiry}} Min. gültig.',
    secret: 'Geben Sie ihn an niemanden weiter.',
    subject: 'Ihr Bestätigungscode',
    subjectFor: 'Ihr Bestätigungscode für {{brand}}',
  },
  es: {
    code: 'Tu código de verificación es {{code}}.',
    codeFor: '{{code}} es tu código de verificación de {{brand}}.',
    valid: 'Es válido durante {{expiry}} min.',
    secret: 'No lo compartas con nadie.',
    subject: 'Tu código de verificación',
    subjectFor: 'Tu código de verificación de {{brand}}',
  },
  fa: {
    code: 'کد تأیید شما {{code}} است.',
    codeFor: '{{code}} کد تأیید شما در {{brand}} است.',
    valid: 'این کد {{expiry}} دقیقه معتبر است.',
    secret: 'آن را با کسی در میان نگذارید.',
    subject: 'کد تأیید شما',
    subjectFor: 'کد تأیید شما در {{brand}}',
  },
  fr: {
    code: 'Votre code de vérification est {{code}}.',
    codeFor: '{{code}} est votre code de vérification pour {{brand}}.',
    valid: 'Il est valable {{expiry}} min.',
    secret: 'Ne le communiquez à personne.',
    subject: 'Votre code de vérification',
    subjectFor: 'Votre code de vérification pour {{brand}}',
  },
  gu: {
    code: 'તમારો ચકાસણી કોડ {{code}} છે.',
    codeFor: '{{code}} એ {{brand}} માટે તમારો ચકાસણી કોડ છે.',
    valid: 'તે {{expiry}} મિનિટ માટે માન્ય છે.',
    secret: 'તેને કોઈની સાથે શેર કરશો નહીં.',
    subject: 'તમારો ચકાસણી કોડ',
    subjectFor: '{{brand}} માટે તમારો ચકાસણી કોડ',
  },
  hi: {
    code: 'आपका सत्यापन कोड {{code}} है।',
    codeFor: '{{code}} आपका {{brand}} सत्यापन कोड है।',
    valid: 'यह {{expiry}} मिनट तक मान्य है।',
    secret: 'इसे किसी के साथ साझा न करें।',
    subject: 'आपका सत्यापन कोड',
    subjectFor: '{{brand}} के लिए आपका सत्यापन कोड',
  },
  id: {
    code: 'Kode verifikasi Anda {{code}}.',
    codeFor: '{{code}} adalah kode verifikasi Anda untuk {{brand}}.',
    valid: 'Berlaku selama {{expiry}} menit.',
    secret: 'Jangan bagikan kepada siapa pun.',
    subject: 'Kode verifikasi Anda',
    subjectFor: 'Kode verifikasi Anda untuk {{brand}}',
  },
  it: {
    code: 'Il tuo codice di verifica è {{code}}.',
    codeFor: '{{code}} è il tuo codice di verifica per {{brand}}.',
    valid: 'È valido per {{expiry}} min.',
    secret: 'Non condividerlo con nessuno.',
    subject: 'Il tuo codice di verifica',
    subjectFor: 'Il tuo codice di verifica per {{brand}}',
  },
  mr: {
    code: 'तुमचा पडताळणी कोड {{code}} आहे.',
    codeFor: '{{code}} हा तुमचा {{brand}} साठीचा पडताळणी कोड आहे.',
    valid: 'तो {{expiry}} मिनिटांसाठी वैध आहे.',
    secret: 'तो कोणालाही सांगू नका.',
    subject: 'तुमचा पडताळणी कोड',
    subjectFor: '{{brand}} साठी तुमचा पडताळणी कोड',
  },
  ms: {
    code: 'Kod pengesahan anda ialah {{code}}.',
    codeFor: '{{code}} ialah kod pengesahan anda untuk {{brand}}.',
    valid: 'Sah selama {{expiry}} minit.',
    secret: 'Jangan kongsi dengan sesiapa.',
    subject: 'Kod pengesahan anda',
    subjectFor: 'Kod pengesahan anda untuk {{brand}}',
  },
  pt: {
    code: 'Seu código de verificação é {{code}}.',
    codeFor: '{{code}} é o seu código de verificação de {{brand}}.',
    valid: 'Ele é válido por {{expiry}} min.',
    secret: 'Não o compartilhe com ninguém.',
    subject: 'Seu código de verificação',
    subjectFor: 'Seu código de verificação de {{brand}}',
  },
  ru: {
    code: 'Ваш код подтверждения: {{code}}.',
    codeFor: '{{code}} — ваш код подтверждения для {{brand}}.',
    valid: 'Он действует {{expiry}} мин.',
    secret: 'Никому его не сообщайте.',
    subject: 'Ваш код подтверждения',
    subjectFor: 'Ваш код подтверждения для {{brand}}',
  },
  sw: {
    code: 'Msimbo wako wa uthibitishaji ni {{code}}.',
    codeFor: '{{code}} ni msimbo wako wa uthibitishaji wa {{brand}}.',
    valid: 'Ni halali kwa dakika {{expiry}}.',
    secret: 'Usimpe mtu yeyote.',
    subject: 'Msimbo wako wa uthibitishaji',
    subjectFor: 'Msimbo wako wa uthibitishaji wa {{brand}}',
  },
  ta: {
    code: 'உங்கள் சரிபார்ப்புக் குறியீடு {{code}}.',
    codeFor: '{{code}} என்பது {{brand}} க்கான உங்கள் சரிபார்ப்புக் குறியீடு.',
    valid: 'இது {{expiry}} நிமிடங்களுக்குச் செல்லுபடியாகும்.',
    secret: 'இதை யாருடனும் பகிர வேண்டாம்.',
    subject: 'உங்கள் சரிபார்ப்புக் குறியீடு',
    subjectFor: '{{brand}} க்கான உங்கள் சரிபார்ப்புக் குறியீடு',
  },
  te: {
    code: 'మీ ధృవీకరణ కోడ్ {{code}}.',
    codeFor: '{{code}} అనేది {{brand}} కోసం మీ ధృవీకరణ కోడ్.',
    valid: 'ఇది {{expiry}} నిమిషాలు చెల్లుతుంది.',
    secret: 'దీన్ని ఎవరితోనూ పంచుకోవద్దు.',
    subject: 'మీ ధృవీకరణ కోడ్',
    subjectFor: '{{brand}} కోసం మీ ధృవీకరణ కోడ్',
  },
  tr: {
    code: 'Doğrulama kodunuz: {{code}}.',
    codeFor: '{{code}} doğrulama kodunuzdur ({{brand}}).',
    valid: '{{expiry}} dakika geçerlidir.',
    secret: 'Kimseyle paylaşmayın.',
    subject: 'Doğrulama kodunuz',
    subjectFor: '{{brand}} doğrulama kodunuz',
  },
  ur: {
    code: 'آپ کا تصدیقی کوڈ {{code}} ہے۔',
    codeFor: '{{code}} آپ کا {{brand}} کا تصدیقی کوڈ ہے۔',
    valid: 'یہ {{expiry}} منٹ تک درست ہے۔',
    secret: 'اسے کسی کے ساتھ شیئر نہ کریں۔',
    subject: 'آپ کا تصدیقی کوڈ',
    subjectFor: '{{brand}} کے لیے آپ کا تصدیقی کوڈ',
  },
};

import { ERROR_CODES, type ErrorCode } from '../../errors/codes.ts';
import { type FieldProblem, lacking } from '../../errors/errors.ts';
import { resolve, type Schema, type Schemas } from '../reference/schema.ts';
import type { Operation } from './document.ts';

/** What an error says where its meaning alone would be no example. */
const DETAILS: Partial<Record<ErrorCode, string>> = {
  UNAUTHORIZED: 'The API key is unknown, revoked or expired.',
  RATE_LIMIT_EXCEEDED: 'The limit of this API key is reached. Try again in 42 s.',
  PAYLOAD_TOO_LARGE: 'The body is larger than 1 MB.',
  UNSUPPORTED_MEDIA_TYPE: 'Send JSON with Content-Type: application/json.',
  OTP_INCORRECT: 'The code is wrong; 4 attempts are left.',
  INTERNAL_ERROR: 'Something went wrong on our side. Give the request id to the operator.',
  SERVICE_UNAVAILABLE: 'The server is stopping.',
};

/** A whole problem document as an operation gives it. */
export function problemExample(code: ErrorCode, operation: Operation, schemas: Schemas) {
  const { status, title, meaning } = ERROR_CODES[code];
  const members = membersOf(code, operation, schemas);
  const detail = members.errors?.[0]?.message ?? members.detail ?? DETAILS[code] ?? plain(meaning);
  return {
    type: `/docs/errors#${code}`,
    title,
    status,
    detail,
    code,
    requestId: '9b2f6c1e-3d0a-4b7e-8f55-2a6c1d9e0b47',
    ...(members.errors && { errors: members.errors }),
    ...(members.attemptsRemaining !== undefined && { attemptsRemaining: members.attemptsRemaining }),
    ...(members.requiredPermission && { requiredPermission: members.requiredPermission }),
    success: false,
    error: detail,
  };
}

interface Members {
  detail?: string;
  errors?: FieldProblem[];
  attemptsRemaining?: number;
  requiredPermission?: string;
}

/** What a problem has beside the members that all have. */
function membersOf(code: ErrorCode, operation: Operation, schemas: Schemas): Members {
  switch (code) {
    case 'VALIDATION_ERROR':
      return { errors: [wrongField(operation, schemas)] };
    case 'FORBIDDEN': {
      const requiredPermission = operation['x-permission'] ?? 'admin';
      return { requiredPermission, detail: lacking(requiredPermission) };
    }
    case 'PHONE_INVALID':
    case 'PHONE_NOT_ALLOWED':
      return { errors: [{ path: 'phone', message: plain(ERROR_CODES[code].meaning) }] };
    case 'EMAIL_INVALID':
      return { errors: [{ path: 'email', message: plain(ERROR_CODES[code].meaning) }] };
    case 'OTP_INCORRECT':
      return { attemptsRemaining: 4 };
    default:
      return {};
  }
}

/** A field of the operation's own that is missing, or that it does not know. */
function wrongField(operation: Operation, schemas: Schemas): FieldProblem {
  const body = operation.requestBody?.content['application/json']?.schema;
  const { properties = {}, required = [] } = body ? resolve(body, schemas) : ({} as Schema);
  const missing = required.find((name) => properties[name]?.type === 'string' && !properties[name]?.pattern);
  if (missing) {
    const bounds = properties[missing]?.maxLength
      ? ` of 1 to ${properties[missing].maxLength} characters`
      : '';
    return { path: missing, message: `The field \`${missing}\` is required and must be a string${bounds}.` };
  }
  const names = Object.keys(properties);
  if (names.length > 0)
    return { path: 'foo', message: `Unknown field \`foo\`. Allowed: ${names.join(', ')}.` };
  const limited = operation.parameters?.some(
    (parameter) => 'name' in parameter && parameter.name === 'limit',
  );
  return limited
    ? { path: 'limit', message: 'The value of `limit` must be a whole number from 1 to 200.' }
    : { path: 'foo', message: 'The query parameter `foo` must be given only once.' };
}

const plain = (meaning: string) => meaning.replace(/\[([^\]]+)\]\([^)]*\)/g, '$1');

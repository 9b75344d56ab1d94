/**
 * The log: one JSON object a line for machines, or one readable line for a terminal. No line ever carries a
 * credential: whatever is logged under the names below is replaced before it is written.
 */
import { type DestinationStream, pino, stdTimeFunctions } from 'pino';
import { createStdoutWriter } from './log-writer.ts';

export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'silent';
export type LogFormat = 'json' | 'pretty';

/** What the rest of the proxy needs of a log. An error goes under `err`. */
export interface Log {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
  child(fields: Record<string, unknown>): Log;
}

export type LogOptions = {
  readonly level: LogLevel;
  readonly format: LogFormat;
  /** Where lines go, each with its line end; standard output when absent. */
  readonly to?: DestinationStream;
  /** Called when a line was dropped because the reader of standard output is blocked. */
  readonly onDropped?: () => void;
};

export type RootLog = Log & {
  /** Resolves when all lines were taken, or after this long, in milliseconds. */
  drain(limitMs: number): Promise<void>;
};

const REDACTED = '[redacted]';
/** Fields that hold a credential wherever they stand, as a member of the line's JSON text. */
const SECRET_FIELD =
  /"((?:proxy-)?authorization|(?:set-)?cookie|password|token|access_token|refresh_token)":(?:"(?:[^"\\]|\\.)*"|\[(?:"(?:[^"\\]|\\.)*",?)*\])/gi;
/** A credential inside other text, such as a raw header list or an error's message. */
const SECRET_TEXT = /\b(Bearer|Basic) [\w.~+/=-]{16,}/gi;

export function createLog({ level, format, to, onDropped }: LogOptions): RootLog {
  const own =
    to === undefined
      ? createStdoutWriter({ ...(onDropped && { onDropped }), onBack: (lines) => sayDropped(log, lines) })
      : undefined;
  const writer: DestinationStream = to ?? own ?? { write: () => undefined };
  const log: Log = pino(
    {
      level,
      base: null,
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      hooks: { streamWrite: redact },
    },
    format === 'pretty' ? { write: (line: string) => writer.write(toPrettyLine(line)) } : writer,
  );
  return Object.assign(log, {
    drain: async (limitMs: number): Promise<void> => {
      await own?.flush(limitMs);
    },
  });
}

/** Logs that lines were dropped. */
function sayDropped(log: Log, lines: number): void {
  log.warn({ lines }, 'the reader of this log was blocked; lines were dropped');
}

/**
 * Works on the written line, so that depth, spelling and place of a credential do not matter; pino's own redaction
 * by path costs 170 µs a line at three levels, this costs one.
 */
export function redact(line: string): string {
  return line.replace(SECRET_FIELD, `"$1":"${REDACTED}"`).replace(SECRET_TEXT, `$1 ${REDACTED}`);
}

/** `20:45:01.123 WARN  decision rule=base-images …`; a line that is not a JSON object is written unchanged. */
export function toPrettyLine(line: string): string {
  const entry = parseEntry(line);
  if (entry === undefined) return line;
  const { time, level, msg, err, ...fields } = entry;
  const head = `${String(time).slice(11, 23)} ${String(level).toUpperCase().padEnd(5)} ${toPlainText(String(msg ?? ''))}`;
  const tail = Object.entries(fields).map(([name, value]) => ` ${name}=${toFieldText(value)}`);
  return `${head}${tail.join('')}${err === undefined ? '' : toErrorText(err)}\n`;
}

function parseEntry(line: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null ? { ...value } : undefined;
  } catch {
    return undefined;
  }
}

function toFieldText(value: unknown): string {
  if (typeof value === 'string' && /^[\w.:/@+-]+$/.test(value)) return value;
  return toPlainText(JSON.stringify(value));
}

function toErrorText(err: unknown): string {
  const fields: Record<string, unknown> =
    typeof err === 'object' && err !== null ? { ...err } : { message: err };
  const lines = String(fields['stack'] ?? fields['message']).split('\n');
  return lines.map((text) => `\n    ${toPlainText(text.trim())}`).join('');
}

/** Control characters would let a logged value write its own line or colour a terminal. */
function toPlainText(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this replaces
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g, (character) => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
  });
}

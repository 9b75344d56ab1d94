import { describe, expect, test } from '@jest/globals';
import {
  createLog,
  type Log,
  type LogFormat,
  type LogLevel,
  toPrettyLine,
} from '../../proxy/telemetry/log.ts';

function logTo(
  format: LogFormat,
  level: LogLevel = 'info',
): { readonly log: Log; readonly text: () => string } {
  let text = '';
  const write = (line: string): void => {
    text += line;
  };
  return { log: createLog({ level, format, to: { write } }), text: () => text };
}

describe('json', () => {
  test('is one object a line with time, level, message and fields', () => {
    const { log, text } = logTo('json');
    log.child({ part: 'pull' }).warn({ rule: 'base-images' }, 'decision');
    expect(text().endsWith('\n')).toBe(true);
    const { time, ...line } = JSON.parse(text());
    expect(line).toEqual({ level: 'warn', part: 'pull', rule: 'base-images', msg: 'decision' });
    expect(time).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  });

  test('leaves out what is below the level', () => {
    const { log, text } = logTo('json', 'warn');
    log.info({}, 'quiet');
    expect(text()).toBe('');
  });

  test('keeps the cause of an error', () => {
    const { log, text } = logTo('json');
    log.error({ err: new Error('outer', { cause: new Error('inner') }) }, 'failed');
    expect(JSON.parse(text()).err.message).toBe('outer: inner');
  });

  test('a line break in a value does not make a second line', () => {
    const { log, text } = logTo('json');
    log.info({ ref: 'a\n{"level":"info"}' }, 'x\ny');
    expect(text().split('\n')).toHaveLength(2);
  });
});

describe.each(['json', 'pretty'] as const)('credentials in %s', (format) => {
  test.each([
    ['a field', { authorization: 'Bearer s3cret' }],
    ['headers', { headers: { authorization: 'Basic s3cret', cookie: 's3cret' } }],
    ['raw header names', { headers: { Authorization: 'Basic s3cret' } }],
    ['a request', { req: { headers: { 'proxy-authorization': 'Basic s3cret' } } }],
    ['an account', { registry: { auth: { username: 'u', password: 's3cret' } } }],
    ['a token answer', { answer: { token: 's3cret', access_token: 's3cret' } }],
    ['a quoted value', { headers: { Authorization: 'x\\"y", "z s3cret' } }],
    ['a list of values', { headers: { 'Set-Cookie': ['a=]s3cret', 'b=s3cret'] } }],
    ['raw headers', { rawHeaders: ['Authorization', 'Bearer s3cret.s3cret.s3cret'] }],
    ['an error', { err: new Error('sent "Bearer s3cret.s3cret.s3cret"') }],
    ['the deepest place', { a: { b: { c: { d: { e: { Cookie: 's3cret' } } } } } }],
  ])('in %s are never written', (_, fields) => {
    const { log, text } = logTo(format);
    log.info(fields, 'request');
    expect(text()).not.toContain('s3cret');
    expect(text()).toContain('[redacted]');
  });
});

test('a challenge and a sentence about authentication are kept', () => {
  const { log, text } = logTo('json');
  log.info({ challenge: 'Bearer realm="https://auth.example.com/token"' }, 'Basic authentication refused');
  expect(text()).toContain('https://auth.example.com/token');
  expect(text()).toContain('Basic authentication refused');
});

describe('pretty', () => {
  test('is one readable line', () => {
    const { log, text } = logTo('pretty');
    log.warn({ rule: 'base-images', repo: 'library/alpine', note: 'two words', n: 3 }, 'decision');
    expect(text()).toMatch(
      /^\d\d:\d\d:\d\d\.\d{3} WARN {2}decision rule=base-images repo=library\/alpine note="two words" n=3\n$/,
    );
  });

  test('shows an error below its line', () => {
    const { log, text } = logTo('pretty');
    log.error({ err: new Error('boom') }, 'failed');
    expect(text()).toMatch(/ERROR failed\n {4}Error: boom\n {4}at /);
  });

  test('a value cannot write a line of its own or colour the terminal', () => {
    const { log, text } = logTo('pretty');
    log.info({ ref: 'a\nb\u001b[31m\u2028\u009b' }, 'x\ny\u001b[2J');
    expect(text().split('\n')).toHaveLength(2);
    for (const character of ['\u001b', '\u009b', '\u2028']) expect(text()).not.toContain(character);
  });

  test('passes on what is no log entry', () => {
    expect(toPrettyLine('plain\n')).toBe('plain\n');
    expect(toPrettyLine('3\n')).toBe('3\n');
  });
});

/** `/v2/`: who is let in, and what a registry's answer to the ping means. */
import { describe, expect, test } from '@jest/globals';
import { answerPing } from '../../proxy/registry/ping.ts';
import { UpstreamError } from '../../proxy/upstream/errors.ts';
import { OPEN_PING } from '../../proxy/wire/answers.ts';
import { type Scripted, scriptedClient } from '../upstream/scripted-client.ts';

const WHO = { authorization: 'Bearer a', signal: new AbortController().signal };
const OPEN = { kind: 'respond', response: OPEN_PING };
const ADVICE = "; try again later or ask this proxy's operator to check the registry";

test('an open door says so in full', () => {
  const { status, headers, body } = OPEN_PING;
  expect([status, Object.fromEntries(headers), String(body)]).toEqual([
    200,
    {
      'Content-Type': 'application/json',
      'Content-Length': '2',
      'Docker-Distribution-Api-Version': 'registry/2.0',
    },
    '{}',
  ]);
});

test('no registry, and one with our own account, are open without being asked', async () => {
  expect(await answerPing(undefined, WHO)).toEqual(OPEN);
  for (const auth of ['anonymous', 'basic'] as const) {
    const client = scriptedClient(() => ({ status: 500 }), { auth });
    expect([await answerPing(client, WHO), client.asked]).toEqual([OPEN, []]);
  }
});

describe('a registry that is asked with the caller’s credentials', () => {
  const ask = async (answer: Scripted) =>
    await answerPing(
      scriptedClient(() => answer),
      WHO,
    );
  const unreachable = (what: string, retryAfter?: string) => ({
    kind: 'refused',
    refusal: { reason: 'registry_unreachable', message: `reg ${what}${ADVICE}`, retryAfter },
  });

  test('opens with 200', async () => {
    const client = scriptedClient(() => ({ status: 200, body: 'x' }));
    expect(await answerPing(client, WHO)).toEqual(OPEN);
    expect(client.asked).toEqual([
      { method: 'GET', path: '/v2/', authorization: 'Bearer a', signal: expect.any(AbortSignal) },
    ]);
    expect(client.answered[0]?.destroyed).toBe(true);
  });

  test.each([401, 429])('is heard when it says %i', async (status) => {
    expect(await ask({ status })).toMatchObject({ kind: 'respond', response: { status } });
  });

  test.each([201, 302, 403, 404, 500])('does not open with %i', async (status) => {
    expect(await ask({ status, headers: { 'retry-after': '7' } })).toEqual(
      unreachable(`answered ${status}`, '7'),
    );
  });

  test('does not open with a page', async () => {
    expect(await ask({ status: 200, headers: { 'content-type': 'text/html' } })).toEqual(
      unreachable('sent a page of HTML'),
    );
  });

  test('does not open when it cannot be reached, which a fault of our own is not', async () => {
    const failing = (error: Error) =>
      answerPing(
        scriptedClient(() => {
          throw error;
        }),
        WHO,
      );
    expect(await failing(new UpstreamError('timeout', 'x'))).toEqual(
      unreachable('did not give an answer (timeout)'),
    );
    await expect(failing(new RangeError('ours'))).rejects.toThrow('ours');
  });
});

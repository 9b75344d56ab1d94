/** An outage is told when it begins, when its cause changes, and when it is over; a storm of failures is one line. */
import { expect, test } from '@jest/globals';
import { createUpstreamLog } from '../../proxy/telemetry/upstream-log.ts';
import type { UpstreamKind, UpstreamOutcome } from '../../proxy/upstream/outcome.ts';

function start() {
  const lines: (object & { readonly message: string })[] = [];
  const clock = { now: 0 };
  const write = (fields: object, message: string) => void lines.push({ ...fields, message });
  const tell = createUpstreamLog({
    log: { warn: write, info: write },
    serverOf: (upstream, kind) => (kind === 'auth' ? undefined : `https://${kind}.${upstream}`),
    monotonic: () => clock.now,
  });
  const say = (outcome: UpstreamOutcome, detail?: string, kind: UpstreamKind = 'registry') =>
    tell({ upstream: 'a.example', kind, outcome, detail });
  return { lines, clock, say };
}

const REFUSED = 'nothing listens there (ECONNREFUSED)';

test('an outage is one line with where and why, and one when it is over', () => {
  const { lines, clock, say } = start();
  say('ok');
  for (let pull = 0; pull < 1000; pull += 1) say('network', REFUSED);
  clock.now = 61_400;
  say('not_found');
  say('ok');
  const about = { upstream: 'a.example', kind: 'registry', server: 'https://registry.a.example' };
  expect(lines).toEqual([
    {
      ...about,
      detail: REFUSED,
      message: 'the registry fails: pulls that need it are refused until it answers',
    },
    { ...about, seconds: 61, message: 'the registry answers again' },
  ]);
});

test('another cause is told, at most every ten seconds', () => {
  const { lines, clock, say } = start();
  say('network', REFUSED);
  clock.now = 9_999;
  say('timeout', 'no answer in time');
  clock.now = 10_000;
  say('timeout', 'no answer in time');
  say('network', REFUSED);
  expect(lines).toMatchObject([{ detail: REFUSED }, { detail: 'no answer in time' }]);
});

test('that it does not know a client, or wants fewer questions, does not say that it answers again', () => {
  const { lines, say } = start();
  say('network', REFUSED);
  say('denied');
  say('rate_limited');
  expect(lines).toHaveLength(1);
});

test('the servers of one registry fail each by themselves', () => {
  const { lines, say } = start();
  say('network', REFUSED, 'notary');
  say('ok');
  say('denied', 'it refused the account puller (401)', 'auth');
  expect(lines).toMatchObject([
    {
      kind: 'notary',
      message: 'the trust server fails: verified tags are served until they expire',
    },
    {
      kind: 'auth',
      server: undefined,
      message: 'the token server fails: pulls that need its tokens fail until it answers',
    },
  ]);
});

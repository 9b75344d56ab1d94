/** What the end of a pull says, from what the clients showed in runs with the real ones. */
import { describe, expect, test } from '@jest/globals';
import {
  judgePull,
  PULLING_CLIENTS,
  type PullVerdict,
  toPullCommand,
} from '../../../proxy/clients/canary/pull.ts';

const IMAGE = 'docker.io/library/hello-world:linux';
const SENTENCE = `this proxy's test image, ${IMAGE}, is always refused: this client goes through the proxy`;
const LONG = `denied: ${SENTENCE}; pull another image, this one is never served`;
const BLOCKED = `${IMAGE}: registry docker.io is blocked in /etc/containers/registries.conf`;
const mirrors = (first: string, last: string) =>
  `Error: initializing source docker://${IMAGE}: (Mirrors also failed: [${first}]): ${last}`;
const ofProxy = `proxy:5050/library/hello-world:linux: reading manifest linux in proxy:5050/library/hello-world: ${LONG}`;

const failed = (text: string): PullVerdict => judgePull({ kind: 'ended', status: 1, text });

describe('enforced', () => {
  test.each([
    [
      'dockerd behind a mirror',
      `received unexpected HTTP status: 503 Denied by Pullwarden: ${SENTENCE} (no such process)`,
    ],
    [
      'dockerd with the proxy as registry',
      `pull access denied for proxy:5050/x, repository does not exist: ${LONG}`,
    ],
    [
      'containerd',
      `unexpected status from HEAD request to http://p/v2/: 300 Denied by Pullwarden: ${SENTENCE}`,
    ],
    ['containers/image without a mirror', `reading manifest linux in docker.io/library/hello-world: ${LONG}`],
    ['containers/image, the registry blocked', mirrors(ofProxy, BLOCKED)],
    ['containers/image, the proxy twice', mirrors(`${ofProxy}]\n[${ofProxy}`, `${IMAGE}: reading: ${LONG}`)],
    [
      'skopeo, whose log escapes',
      `time="…" level=fatal msg="${mirrors(`${ofProxy}]\\n[${ofProxy}`, BLOCKED)}"`,
    ],
  ])('%s', (_name, line) => {
    const verdict = failed(`Trying to pull ${IMAGE}...\n${line}\n`);
    expect(verdict).toMatchObject({ result: 'enforced', says: expect.stringContaining(SENTENCE) });
  });

  test('shows the line with the words, wherever it stands', () => {
    expect(failed(`first\n  FATA[0000] ${SENTENCE}  \nlast\n`).says).toBe(`FATA[0000] ${SENTENCE}`);
  });
});

describe('bypassed', () => {
  test('the image arrived, whatever was said before', () => {
    expect(judgePull({ kind: 'ended', status: 0, text: `retrying: ${SENTENCE}\ndone\n` }).result).toBe(
      'bypassed',
    );
  });
});

describe('inconclusive', () => {
  test.each([
    ['another registry’s no', 'Error response from daemon: pull access denied for x'],
    ['the proxy’s no to something else', 'denied: docker.io/library/x:1 is not signed'],
    [
      'the registry itself after the proxy',
      mirrors(ofProxy, `${IMAGE}: pinging registry-1.docker.io: refused`),
    ],
    ['another mirror after the proxy', mirrors(`${ofProxy}]\n[mirror.gcr.io/x: denied`, BLOCKED)],
    ['another mirror before the proxy', mirrors(`mirror.gcr.io/x: denied] [${ofProxy}`, BLOCKED)],
    ['nothing at all', ''],
  ])('%s', (_name, text) => {
    expect(failed(text).result).toBe('inconclusive');
  });

  test.each([
    [{ kind: 'not_started', cause: 'docker is not installed, or not on the PATH' }, ''],
    [{ kind: 'timed_out', text: `${SENTENCE}\n` }, SENTENCE],
    [{ kind: 'ended', status: undefined, text: 'killed\n' }, 'killed'],
  ] as const)('%j', (end, says) => {
    expect(judgePull(end)).toMatchObject({ result: 'inconclusive', says });
  });
});

test('a line of somebody else’s is shown plain and short', () => {
  expect(failed(`\u001b[31mred\u202e${'x'.repeat(1000)}`).says).toMatch(/^\?\[31mred\?x{588,}\.\.\.$/);
});

test('each client pulls for certain, with further options before the reference', () => {
  const asked = { image: IMAGE, options: ['--debug'], folder: '/tmp/f' };
  const lines = PULLING_CLIENTS.map((client) => {
    const { program, args } = toPullCommand(client, asked);
    return [program, ...args].join(' ');
  });
  expect(lines).toEqual([
    `docker pull --debug ${IMAGE}`,
    `ctr images pull --hosts-dir /etc/containerd/certs.d --debug ${IMAGE}`,
    `crictl pull --debug ${IMAGE}`,
    `nerdctl pull --debug ${IMAGE}`,
    `podman pull --debug ${IMAGE}`,
    `skopeo copy --debug docker://${IMAGE} dir:/tmp/f`,
    `buildah pull --policy always --debug ${IMAGE}`,
  ]);
});

/** The canary is refused on every way to it, whatever rules and signatures say; and nothing but its tag is. */
import { afterEach, describe, expect, test } from '@jest/globals';
import type { Canary } from '../../proxy/policy/types.ts';
import { CANARY_WORDS } from '../../proxy/words.ts';
import type { Handler } from '../upstream/upstream.ts';
import {
  ask,
  CANARY,
  errorOf,
  MANIFEST_TYPE,
  manifest,
  type ProxyOptions,
  type RunningProxy,
  rule,
  startProxy,
} from './harness.ts';

const IMAGE = manifest('canary');
const PATH = `/v2/${CANARY.repository}/manifests/${CANARY.tag}`;
const SENTENCE =
  "this proxy's test image, docker.io/team/canary:never, is always refused: this client goes through the proxy; pull another image";

const running: RunningProxy[] = [];
afterEach(async () => {
  for (const proxy of running.splice(0)) await proxy.close();
});

/** A registry that has the image under every tag and digest. */
const registry: Handler = (req, res) => {
  if (req.url?.includes('/tags/list')) {
    res.writeHead(200).end('{"name":"team/canary","tags":["never","other"]}');
    return;
  }
  res.writeHead(200, {
    'content-type': MANIFEST_TYPE,
    'content-length': IMAGE.length,
    'docker-content-digest': IMAGE.digest,
  });
  res.end(req.method === 'HEAD' ? undefined : IMAGE.bytes);
};

async function start(options: ProxyOptions = {}): Promise<RunningProxy> {
  const proxy = await startProxy({ handler: registry, ...options });
  running.push(proxy);
  return proxy;
}

const OFF: ProxyOptions = { rules: [rule({ mode: 'off' })] };

describe('the canary is refused', () => {
  test.each<[string, ProxyOptions]>([
    ['mode: enforce', {}],
    ['mode: enforce, and somebody signed it', { signed: { never: IMAGE } }],
    ['mode: audit', { rules: [rule({ mode: 'audit' })] }],
    ['mode: off', OFF],
    ['mode: deny', { rules: [rule({ mode: 'deny' })] }],
    ['no rule and unmatched: deny', { rules: [] }],
    ['no rule and unmatched: pass', { rules: [], unmatched: 'pass' }],
    ['a trust server nobody may wait for', { trustFor: () => new Promise(() => undefined) }],
  ])('under %s', async (_name, options) => {
    const { port, records, upstream } = await start(options);
    const [get, head] = [await ask(port, PATH), await ask(port, PATH, { method: 'HEAD' })];
    expect([get.status, head.status]).toEqual([403, 403]);
    expect(errorOf(get)).toMatchObject({
      code: 'DENIED',
      message: SENTENCE,
      detail: { reason: 'denied_by_rule', rule: '(canary)', gun: 'docker.io/team/canary' },
    });
    expect(head.phrase).toContain(CANARY_WORDS);
    expect(upstream.received).toEqual([]);
    expect(records).toMatchObject([
      { rule: '(canary)', mode: 'deny', result: 'deny', reason: 'denied_by_rule', path: 'none' },
      { rule: '(canary)', reference: { kind: 'tag', text: 'never' } },
    ]);
  });

  test.each([
    ['an alias as ns', `${PATH}?ns=index.docker.io`, {}],
    ['its registry as ns', `${PATH}?ns=docker.io`, {}],
    ['its registry in the path', `/v2/docker.io/team/canary/manifests/never`, {}],
    ['an alias in the path', `/v2/registry-1.docker.io/team/canary/manifests/never`, {}],
    ['a path prefix', `/hub${PATH}`, {}],
    ['a host of its registry', PATH, { host: 'hub.proxy.test' }],
    ['the name of its registry as Host', PATH, { host: 'index.docker.io' }],
  ])('by %s', async (_name, path, headers) => {
    const { port } = await start(OFF);
    const reply = await ask(port, path, { headers });
    expect(reply.status).toBeGreaterThanOrEqual(300);
    expect(errorOf(reply).message).toBe(SENTENCE);
  });

  test.each([
    ['dockerd as a mirror', PATH, 'docker/20.10.24', '503', ' (no such process)'],
    ['containerd as a mirror', `${PATH}?ns=docker.io`, 'containerd/1.6.20', '300', ''],
    ['everybody else', PATH, 'skopeo/1.9.3', '403', ''],
  ])('in the form of %s', async (_name, path, agent, status, end) => {
    const { port } = await start(OFF);
    const reply = await ask(port, path, { method: 'HEAD', headers: { 'user-agent': agent } });
    expect(`${reply.status} ${reply.phrase}`).toBe(
      `${status} Denied by Pullwarden: this proxy's test image, docker.io/team/canary:never, is always refused: this client goes through the proxy${end}`,
    );
  });

  test('with its words in the status line, however long its name is', async () => {
    const canary: Canary = { ...CANARY, repository: `team/${'a'.repeat(240)}`, tag: 't'.repeat(128) };
    const { port } = await start({ ...OFF, canary });
    const path = `/v2/${canary.repository}/manifests/${canary.tag}`;
    const reply = await ask(port, path, { headers: { 'user-agent': 'docker/20.10.24' } });
    expect(reply.phrase).toMatch(
      new RegExp(`^Denied by Pullwarden: ${CANARY_WORDS}, .* \\(no such process\\)$`),
    );
  });
});

describe('nothing but the tag is the canary', () => {
  test.each([
    ['its digest', `/v2/team/canary/manifests/${IMAGE.digest}`],
    ['another tag of its repository', '/v2/team/canary/manifests/other'],
    ['its tag in another case', '/v2/team/canary/manifests/NEVER'],
    ['its tag in another repository', '/v2/team/canary/x/manifests/never'],
    ['its name in another registry', '/v2/quay.io/team/canary/manifests/never'],
  ])('%s passes where the rule lets it', async (_name, path) => {
    const { port } = await start(OFF);
    expect((await ask(port, path)).status).toBe(200);
  });

  test('a tag list of signed tags leaves it out, as a pull would be refused', async () => {
    const { port } = await start({ signed: { never: IMAGE, other: IMAGE } });
    const { body } = await ask(port, '/v2/team/canary/tags/list');
    expect(JSON.parse(body.toString())).toMatchObject({ tags: ['other'] });
  });
});

/** Whatever registries and proxies are called: the files parse, say what was meant, and have no hole. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { parse as parseToml } from 'smol-toml';
import { parse as parseYaml } from 'yaml';
import { examineNode, formatHole } from '../../proxy/clients/examine.ts';
import { createLock } from '../../proxy/clients/lock.ts';
import {
  parseJson,
  parseToml as parseTomlSafely,
  parseYaml as parseYamlSafely,
} from '../../proxy/clients/node/data.ts';
import { CLIENTS, FORMS } from '../../proxy/clients/render.ts';
import type { Config } from '../../proxy/config/types.ts';
import { removeFolders } from '../config/scratch.ts';
import { generate, loadText, openNode, REGISTRIES } from './kit.ts';

const RUNS = 60;

let config: Config;

beforeAll(async () => {
  config = await loadText(REGISTRIES);
});

afterAll(removeFolders);

const label = fc.stringMatching(/^[a-z][a-z0-9]{0,6}(?:-[a-z0-9]{1,4})?$/);
const hostName = fc.tuple(label, label, fc.constantFrom('com', 'example')).map((parts) => parts.join('.'));
const port = fc.integer({ min: 1, max: 65_535 });
const host = fc.oneof(hostName, fc.ipV4(), fc.constant('[2001:db8::5]'));
const authority = fc
  .tuple(host, fc.option(port))
  .map(([name, number]) => (number === null ? name : `${name}:${number}`));
const caPath = fc.stringMatching(/^\/[A-Za-z0-9._/@+:-]{1,30}$/);
const registry = fc.tuple(hostName, fc.array(hostName, { maxLength: 3 }), authority);

const lockOf = fc
  .record({ proxy: authority, ca: fc.option(caPath), registries: fc.array(registry, { maxLength: 4 }) })
  .map(({ proxy, ca, registries }) => {
    const [template] = config.registries;
    if (template === undefined) throw new Error('the configuration has no registry');
    const more = registries.map(([name, aliases, upstream]) => ({
      ...template,
      name,
      aliases,
      upstream: `https://${upstream}`,
    }));
    const all = { ...config, registries: [template, ...more] };
    return createLock(all, { proxy: `https://${proxy}`, ca: ca ?? undefined });
  });

const forms = CLIENTS.flatMap((client) => [undefined, ...FORMS[client]].map((as) => ({ client, as })));

describe.each(forms)('$client $as', ({ client, as }) => {
  test('parses', () => {
    fc.assert(
      fc.property(lockOf, (lock) => {
        for (const [path, text] of Object.entries(generate(lock, client, as))) {
          if (/\.toml$|registries\.conf\.d/.test(path)) expect(() => parseToml(text)).not.toThrow();
          if (path.endsWith('.yaml')) expect(() => parseYaml(text) as unknown).not.toThrow();
          if (path.endsWith('.json')) expect(() => JSON.parse(text) as unknown).not.toThrow();
        }
      }),
      { numRuns: RUNS },
    );
  });

  test('has no hole', () => {
    fc.assert(
      fc.property(lockOf, (lock) => {
        const content = generate(lock, client, as);
        expect(examineNode({ files: openNode(content), lock }).map(formatHole)).toEqual([]);
      }),
      { numRuns: RUNS },
    );
  });
});

test('a hosts.toml says what was meant, whatever the paths look like', () => {
  fc.assert(
    fc.property(lockOf, (lock) => {
      const text = generate(lock, 'containerd')['/etc/containerd/certs.d/_default/hosts.toml'] ?? '';
      const { url, ca } = lock.proxy;
      const settings = { capabilities: ['pull', 'resolve'], ...(ca === undefined ? {} : { ca }) };
      expect(parseToml(text)).toEqual({ server: url, ...settings, host: { [url]: settings } });
    }),
    { numRuns: RUNS },
  );
});

const PATHS = [
  '/etc/docker/daemon.json',
  '/root/.docker/config.json',
  '/etc/default/docker',
  '/etc/systemd/system/docker.service.d/a.conf',
  '/etc/docker/certs.d/quay.io/hosts.toml',
  '/etc/containerd/config.toml',
  '/etc/containerd/certs.d/_default/hosts.toml',
  '/etc/containers/registries.conf',
  '/etc/containers/policy.json',
  '/etc/rancher/k3s/registries.yaml',
  '/etc/rancher/k3s/config.yaml',
  '/etc/buildkit/buildkitd.toml',
  '/etc/hosts',
];

describe('files of any shape', () => {
  const anyFile = fc.oneof(
    fc.string({ maxLength: 60 }),
    fc.json({ maxDepth: 3 }),
    fc
      .dictionary(
        fc.constantFrom(
          'server',
          'host',
          'registry',
          'mirrors',
          'configs',
          'proxies',
          'plugins',
          'version',
          '__proto__',
        ),
        fc.jsonValue({ maxDepth: 2 }),
      )
      .map((value) => JSON.stringify(value)),
    fc.stringMatching(/^(?:\[{0,2}[a-z".]{1,8}\]{0,2} ?=? ?["a-z0-9[\]{}]{0,8}\n){0,6}$/),
  );

  test('are judged, never thrown over, with a line that is there', () => {
    const lock = createLock(config, { proxy: 'https://proxy.example.com', ca: undefined });
    fc.assert(
      fc.property(fc.tuple(...PATHS.map(() => anyFile)), (texts) => {
        const content = Object.fromEntries(PATHS.map((path, at) => [path, texts[at] ?? '']));
        for (const hole of examineNode({ files: openNode(content), lock })) {
          expect(hole.line).toBeGreaterThanOrEqual(1);
          expect(hole.line).toBeLessThanOrEqual((content[hole.file] ?? '').split('\n').length);
        }
      }),
      { numRuns: 300 },
    );
  });

  test('parse to a table or to a line and a cause', () => {
    fc.assert(
      fc.property(anyFile, (text) => {
        for (const parsed of [parseJson(text), parseTomlSafely(text), parseYamlSafely(text)]) {
          if (parsed.kind === 'broken') expect(parsed.message).toMatch(/^invalid /);
          else expect(typeof parsed.data).toBe('object');
        }
      }),
      { numRuns: 300 },
    );
  });
});

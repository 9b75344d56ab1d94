/** What is known of the proxy before anything is rendered. */
import { afterAll, describe, expect, test } from '@jest/globals';
import { canaryReference, hostReference } from '../../proxy/clients/canary/reference.ts';
import { createLock, createLockWithoutConfig } from '../../proxy/clients/lock.ts';
import { renderKit } from '../../proxy/clients/render.ts';
import { loadConfig } from '../../proxy/config/load-config.ts';
import { createCertified, createFolder, removeFolders, write } from '../config/scratch.ts';
import { loadLock, loadText, REGISTRIES } from './kit.ts';

afterAll(removeFolders);

const none = { proxy: undefined, ca: undefined };

async function lockFor(listen: string, options: { proxy?: string; ca?: string } = {}, rest = REGISTRIES) {
  return createLock(await loadText(`listen: ${listen}\n${rest}`), { ...none, ...options });
}

describe('the proxy’s address', () => {
  test('is where it listens', async () => {
    expect((await lockFor('{ address: 10.0.0.5, port: 5050 }')).proxy.url).toBe('http://10.0.0.5:5050');
    expect((await lockFor('{ address: "2001:db8::5", port: 5050 }')).proxy.url).toBe(
      'http://[2001:db8::5]:5050',
    );
  });

  test('is the name in its certificate where it listens on every address', async () => {
    const folder = createFolder();
    const { cert, key } = createCertified(['proxy.example.com']);
    write(folder, 'proxy.crt', cert);
    write(folder, 'proxy.key', key);
    const listen = 'listen: { address: 0.0.0.0, port: 5050, tls: { cert: proxy.crt, key: proxy.key } }';
    const config = await loadConfig(write(folder, 'pullwarden.yaml', `${listen}\n${REGISTRIES}`));
    expect(createLock(config, none).proxy.url).toBe('https://proxy.example.com:5050');
  });

  test.each([
    [
      '{ address: 0.0.0.0, port: 5050 }',
      {},
      /no client can connect to; give the address they use with --proxy http:/,
    ],
    ['{ address: "::", port: 5050 }', {}, /no client can connect to/],
    ['{ address: 10.0.0.5, port: 0 }', {}, /listen\.port is 0/],
    ['{}', { proxy: 'proxy.example.com' }, /invalid proxy address .*; write --proxy https:\/\/host:port/],
    ['{}', { proxy: 'https://proxy.example.com/docker' }, /without a path/],
    ['{}', { proxy: 'https://me:secret@proxy.example.com' }, /invalid proxy address/],
    ['{}', { proxy: 'ftp://proxy.example.com' }, /invalid proxy address/],
    ['{}', { proxy: 'http://proxy.example.com', ca: '/ca.crt' }, /does not use TLS/],
    ['{}', { proxy: 'https://proxy.example.com', ca: 'ca.crt' }, /--ca must be an absolute path/],
    ['{}', { proxy: 'https://proxy.example.com', ca: '/a b' }, /--ca must be an absolute path/],
  ])('%s %j is refused', async (listen, options, message) => {
    await expect(lockFor(listen, options)).rejects.toThrow(message);
  });

  test('a default port is not written out', async () => {
    const { proxy } = await loadLock('https://Proxy.example.com:443');
    expect(proxy).toMatchObject({
      url: 'https://proxy.example.com',
      authority: 'proxy.example.com',
      port: 443,
    });
  });

  test('must not be one that means one registry only', async () => {
    const rest = REGISTRIES.replace('    trust:', '    hosts: [pull.example.com]\n    trust:');
    const lock = lockFor('{}', { proxy: 'https://pull.example.com:5050' }, rest);
    await expect(lock).rejects.toThrow(/is one of the hosts of docker\.io and reaches that registry only/);
  });
});

describe('the way to a registry', () => {
  const rest = (extra: string) => `defaultRegistry: localhost:5000
registries:
  - { name: "localhost:5000", upstream: "http://127.0.0.1:5000", trust: { server: https://notary.example.com } }
${extra}policy:
  rules: [{ name: all, match: "**", mode: audit }]
`;

  test('of the default registry is its own path, where its name has a port', async () => {
    const { registries, blocked } = await lockFor('{ address: 127.0.0.1, port: 5050 }', {}, rest(''));
    expect(registries).toEqual([{ name: 'localhost:5000', aliases: [], path: '' }]);
    expect(blocked.names).toContain('localhost');
    expect(blocked.addresses).toEqual([]);
  });

  test('of another one with a port there is none, and the registry is blocked', async () => {
    const other =
      '  - { name: "r.example.com:5000", upstream: "http://r.example.com:5000", trust: { server: https://n.example.com } }\n';
    const lock = await lockFor('{ address: 127.0.0.1, port: 5050 }', {}, rest(other));
    expect(lock.registries[1]?.path).toBeUndefined();
    const { files, warnings } = renderKit('podman', lock, undefined);
    expect(files[0]?.content).toContain(
      'prefix = "r.example.com:5000"\nlocation = "r.example.com:5000"\nblocked = true\n\n',
    );
    expect(warnings.join()).toContain('r.example.com:5000 has a port in its name');
  });

  test('the canary is the one of the configuration', async () => {
    const listen = '{ address: 127.0.0.1, port: 5050 }';
    expect(canaryReference(await lockFor(listen, {}, rest('')))).toBe(
      'localhost:5000/pullwarden-canary:never-signed',
    );
    const named = `canary: { image: "localhost:5000/ops/canary:v1" }\n${rest('')}`;
    const lock = await lockFor(listen, {}, named);
    expect([canaryReference(lock), hostReference(lock)]).toEqual([
      'localhost:5000/ops/canary:v1',
      '127.0.0.1:5050/ops/canary:v1',
    ]);
  });
});

test('without a configuration Docker Hub is what has to be locked', () => {
  const lock = createLockWithoutConfig('https://proxy.example.com:5050', undefined);
  expect(lock.names).toEqual([
    'docker.io',
    'index.docker.io',
    'registry-1.docker.io',
    'registry.hub.docker.com',
  ]);
  expect(canaryReference(lock)).toBe('docker.io/library/hello-world:linux');
});

/** The ways in: which certificate is shown for which name, and what is let through unopened. */
import { afterAll, describe, expect, test } from '@jest/globals';
import { ConfigError } from '../../proxy/config/errors.ts';
import { loadConfig } from '../../proxy/config/load-config.ts';
import { createCertified, createFolder, POLICY, REGISTRIES, removeFolders, write } from './scratch.ts';

afterAll(removeFolders);

const HUB = ['registry-1.docker.io', 'index.docker.io'];
const NAMED = REGISTRIES.replace('[index.docker.io]', '[index.docker.io, registry-1.docker.io]');

/** A folder with a certificate for Docker Hub's names, its key, and another key. */
function prepare(hosts: readonly string[] = HUB): string {
  const folder = createFolder();
  const { cert, key } = createCertified(hosts);
  write(folder, 'hub.crt', cert);
  write(folder, 'hub.key', key);
  write(folder, 'other.key', createCertified().key);
  return folder;
}

function load(folder: string, listen: string, registries = NAMED) {
  return loadConfig(write(folder, 'pullwarden.yaml', `listen: ${listen}\n${registries}${POLICY}`));
}

async function faultsOf(folder: string, listen: string, registries?: string): Promise<readonly string[]> {
  const error = await load(folder, listen, registries).catch((caught: unknown) => caught);
  if (!(error instanceof ConfigError)) throw new Error('no ConfigError');
  return error.faults.map(({ path, what, next }) => `${path}: ${what}; ${next}`);
}

const certificate = (hosts: string, key = 'hub.key') => `[{ hosts: ${hosts}, cert: hub.crt, key: ${key} }]`;

describe('listen.connect', () => {
  test('absent, CONNECT is not answered', async () => {
    expect((await load(createFolder(), '{ port: 0 }')).listen.connect).toBeUndefined();
  });

  test('certificates and tunnels', async () => {
    const folder = prepare();
    const text = `{ connect: { certificates: ${certificate('[registry-1.docker.io, "index.docker.io:443"]')}, tunnel: [auth.docker.io:443, "*.example.com:443", "10.0.0.1:443"] } }`;
    expect((await load(folder, text)).listen.connect).toEqual({
      certificates: [
        {
          hosts: ['registry-1.docker.io', 'index.docker.io:443'],
          cert: { path: `${folder}/hub.crt`, pem: expect.stringContaining('BEGIN CERTIFICATE') },
          key: `${folder}/hub.key`,
        },
      ],
      tunnel: ['auth.docker.io:443', '*.example.com:443', '10.0.0.1:443'],
    });
  });

  test('the key of another certificate', async () => {
    const text = `{ connect: { certificates: ${certificate('[index.docker.io]', 'other.key')} } }`;
    expect(await faultsOf(prepare(), text)).toEqual([
      'listen.connect.certificates[0].key: "other.key" is not the key of the certificate in listen.connect.certificates[0].cert; name the private key of that certificate',
    ]);
  });

  test('a certificate that is not for the name', async () => {
    const text = `{ connect: { certificates: ${certificate('[index.docker.io, registry-1.docker.io]')} } }`;
    expect(await faultsOf(prepare(['index.docker.io']), text)).toEqual([
      'listen.connect.certificates[0].hosts[1]: the certificate in "hub.crt" is not for "registry-1.docker.io"; name a certificate with this subject alternative name, or remove the host here',
    ]);
  });

  test('a certificate whose subject alone has the name, at which no client looks', async () => {
    const registries = NAMED.replace('    aliases', '    hosts: [localhost]\n    aliases');
    const text = `{ connect: { certificates: ${certificate('[localhost]')} } }`;
    expect(await faultsOf(prepare([]), text, registries)).toEqual([
      expect.stringContaining('hosts[0]: the certificate in "hub.crt" is not for "localhost"'),
    ]);
  });

  test('a wildcard certificate covers one label, and an address is covered as an address', async () => {
    const registries = NAMED.replace(
      '    aliases',
      '    hosts: ["10.1.2.3:5000", deep.sub.docker.io]\n    aliases',
    );
    const hosts = '["10.1.2.3:5000", index.docker.io, deep.sub.docker.io]';
    const text = `{ connect: { certificates: ${certificate(hosts)} } }`;
    expect(await faultsOf(prepare(['*.docker.io', '10.1.2.3']), text, registries)).toEqual([
      expect.stringContaining('hosts[2]: the certificate in "hub.crt" is not for "deep.sub.docker.io"'),
    ]);
  });

  test('a tunnel to the upstream itself, with the port its address leaves out', async () => {
    const registries = NAMED.replace('https://registry-1.docker.io', 'https://hub.internal.example.com/v2x');
    const text = `{ connect: { certificates: ${certificate('[index.docker.io]')}, tunnel: ["*.internal.example.com:443"] } }`;
    expect(await faultsOf(prepare(), text, registries)).toEqual([
      'listen.connect.tunnel[0]: "*.internal.example.com:443" would let clients bypass the proxy to the registry "hub.internal.example.com:443"; remove it, or list the hosts you mean one by one',
    ]);
  });
});

describe('listen.tls.certificates', () => {
  const tls = (certificates: string) =>
    `{ tls: { cert: hub.crt, key: hub.key, certificates: ${certificates} } }`;

  test('may be left out', async () => {
    const { tls: loaded } = (await load(prepare(), '{ tls: { cert: hub.crt, key: hub.key } }')).listen;
    expect(loaded?.certificates).toEqual([]);
  });

  test('may be for a name that is no registry: clients may address the proxy by any', async () => {
    const text = tls(certificate('[proxy.example.com]'));
    const { tls: loaded } = (await load(prepare(['proxy.example.com']), text)).listen;
    expect(loaded?.certificates[0]?.hosts).toEqual(['proxy.example.com']);
  });

  test('are checked against key and names', async () => {
    expect(
      await faultsOf(prepare(['index.docker.io']), tls(certificate('[pull.example.com]', 'other.key'))),
    ).toEqual([
      expect.stringContaining('hosts[0]: the certificate in "hub.crt" is not for "pull.example.com"'),
      expect.stringContaining(
        'key: "other.key" is not the key of the certificate in listen.tls.certificates',
      ),
    ]);
  });
});

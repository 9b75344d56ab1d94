import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { beforeAll, expect, test } from '@jest/globals';
import { DockerClient } from './docker.ts';
import { startDockerd } from './dockerd.ts';
import { DOCKER_ORDER, NotaryClient } from './notary.ts';
import { type NotaryServer, startNotaryServer } from './notary-server.ts';
import { describeReal, SETUP_TIMEOUT } from './parts.ts';
import { READER, type Registry, startRegistry } from './registry.ts';
import { ContainersClient } from './skopeo-podman.ts';

interface Signed {
  readonly _type: string;
  readonly version: number;
  readonly keys: Record<string, { readonly keytype: string }>;
  readonly roles: Record<string, { readonly keyids: readonly string[] }>;
  readonly delegations: {
    readonly roles: readonly { readonly name: string; readonly paths: readonly string[] }[];
  };
}

interface Metadata {
  readonly signed: Signed;
  readonly signatures: readonly { readonly keyid: string; readonly method: string }[];
}

const SHA256 = createHash('sha256').update('content').digest('hex');

async function read(server: NotaryServer, gun: string, file: string): Promise<Metadata> {
  const { status, body } = await server.fetchFile(gun, file);
  if (status !== 200) throw new Error(`${gun} ${file}: ${status} ${body}`);
  return JSON.parse(body.toString()) as Metadata;
}

async function keyTypeOf(server: NotaryServer, gun: string, role: string): Promise<string | undefined> {
  const { signed } = await read(server, gun, 'root.json');
  return signed.keys[signed.roles[role]?.keyids[0] ?? '']?.keytype;
}

describeReal(
  'images signed with docker trust',
  [
    'docker-registry',
    'notary-server',
    'notary',
    'dockerd',
    'docker',
    'openssl',
    'skopeo',
    'podman',
    'buildah',
  ],
  () => {
    let registry: Registry;
    let server: NotaryServer;
    let docker: DockerClient;
    let notary: NotaryClient;
    let repository: string;
    let signed: string;
    let moved: string;

    beforeAll(async () => {
      const [startedRegistry, startedServer, daemon] = await Promise.all([
        startRegistry(),
        startNotaryServer(),
        startDockerd(),
      ]);
      registry = startedRegistry;
      server = startedServer;
      docker = await DockerClient.create({ host: daemon.host, trust: server });
      notary = await NotaryClient.create(server);
      repository = `${registry.address}/admin/demo`;
      await docker.importImage(`${repository}:1`, 'signed');
      await docker.importImage(`${repository}:other`, 'moved');
      await docker.trustSignerAdd('jeff', await docker.trustKeyGenerate('jeff'), repository);
      await docker.trustSign(`${repository}:1`);
      signed = (await docker.push(`${repository}:1`)).digest;
      await docker.dockerOk(['tag', `${repository}:other`, `${repository}:1`]);
      moved = (await docker.push(`${repository}:1`)).digest;
    }, SETUP_TIMEOUT);

    test('notary and docker trust see the signed digest after an unsigned push moved the tag', async () => {
      const digest = signed.slice('sha256:'.length);
      expect(moved).not.toBe(signed);
      const listed = { name: '1', digest, size: expect.any(Number) };
      expect(await notary.list(repository)).toEqual([{ ...listed, role: 'targets/jeff' }]);
      expect(await notary.list(repository, DOCKER_ORDER)).toEqual([{ ...listed, role: 'targets/releases' }]);
      expect((await docker.trustInspect(repository)).SignedTags).toEqual([
        { SignedTag: '1', Digest: digest, Signers: ['jeff'] },
      ]);
    });

    test('without a proxy every client gets the image that was not signed', async () => {
      const clients = await ContainersClient.create([{ location: registry.address }]);
      const copied = await clients.skopeoCopy(`${repository}:1`);
      expect(copied).toMatchObject({ status: 0 });
      const manifest = await readFile(join(copied.folder, 'manifest.json'));
      expect(`sha256:${createHash('sha256').update(manifest).digest('hex')}`).toBe(moved);
      expect(await clients.podmanPull(`${repository}:1`)).toMatchObject({ status: 0 });
      expect(await clients.buildahPull(`${repository}:1`)).toMatchObject({ status: 0 });
      expect(await docker.pull(`${repository}:1`)).toMatchObject({ status: 0 });
      expect(await docker.repoDigests(`${repository}:1`)).toContain(moved);
    });

    test('docker pull with content trust gets the signed image, and nothing for an unsigned tag', async () => {
      const pulled = await docker.pull(`${repository}:1`, { contentTrust: true });
      expect(pulled).toMatchObject({ status: 0, stdout: expect.stringContaining(signed) });
      await docker.push(`${repository}:other`);
      const refused = await docker.pull(`${repository}:other`, { contentTrust: true });
      expect(refused).toMatchObject({
        status: 1,
        stderr: expect.stringContaining('No valid trust data for other'),
      });
    });

    test('a second signer, an added and a revoked tag change what is signed', async () => {
      await docker.trustSignerAdd('ana', await docker.trustKeyGenerate('ana'), repository);
      await docker.importImage(`${repository}:2`, 'second');
      await docker.trustSign(`${repository}:2`);
      const both = await docker.trustInspect(`${repository}:2`);
      expect([...(both.SignedTags[0]?.Signers ?? [])].sort()).toEqual(['ana', 'jeff']);
      await docker.trustRevoke(`${repository}:1`);
      expect((await notary.list(repository)).map(({ name }) => name)).toEqual(['2']);
    });

    test('a push with content trust and no signer writes plain targets', async () => {
      const plain = `${registry.address}/admin/plain`;
      await docker.importImage(`${plain}:1`, 'plain');
      const { digest, size } = await docker.push(`${plain}:1`, { contentTrust: true });
      expect(await notary.list(plain)).toEqual([
        { name: '1', digest: digest.slice(7), size, role: 'targets' },
      ]);
    });

    test('notary works on the keys that docker made', async () => {
      const onDockerKeys = await NotaryClient.create(server, docker.trustDir);
      await onDockerKeys.rotate(repository, 'targets');
      expect((await read(server, repository, 'root.json')).signed.version).toBe(2);
      expect((await docker.trustInspect(`${repository}:2`)).SignedTags).toHaveLength(1);
    });
  },
);

describeReal('a daemon with a mirror', ['docker-registry', 'dockerd', 'docker'], () => {
  test('pulls a Docker Hub name through a pull-through registry in front of one with accounts', async () => {
    const origin = await startRegistry({ htpasswd: READER.htpasswd });
    const anonymous = await fetch(`${origin.url}/v2/`);
    expect([anonymous.status, anonymous.headers.get('www-authenticate')]).toEqual([
      401,
      'Basic realm="test"',
    ]);

    const library = await startRegistry();
    const mirror = await startRegistry({ proxyRemote: library.url });
    const daemon = await startDockerd({ registryMirror: mirror.url });
    const docker = await DockerClient.create({ host: daemon.host });
    await docker.dockerOk(['login', '-u', READER.username, '-p', READER.password, origin.address]);
    await docker.importImage(`${library.address}/library/tiny:1`, 'tiny');
    const { digest } = await docker.push(`${library.address}/library/tiny:1`);
    expect(await docker.pull('tiny:1')).toMatchObject({ status: 0, stdout: expect.stringContaining(digest) });
  });
});

describeReal('collections made with notary', ['notary-server', 'notary-signer', 'notary', 'openssl'], () => {
  let server: NotaryServer;
  let notary: NotaryClient;

  beforeAll(async () => {
    server = await startNotaryServer();
    notary = await NotaryClient.create(server);
  }, SETUP_TIMEOUT);

  test.each([
    ['ecdsa', false, 'ecdsa-x509'],
    ['ecdsa', true, 'ecdsa-x509'],
    ['rsa', false, 'rsa-x509'],
    ['rsa', true, 'rsa-x509'],
  ] as const)('a root of type %s, own certificate %s', async (root, ownCertificate, keyType) => {
    const gun = `registry.test/roots/${root}-${ownCertificate}`;
    await notary.init(gun, { root, ownCertificate });
    await notary.addHash(gun, '1', 7, SHA256);
    expect(await keyTypeOf(server, gun, 'root')).toBe(keyType);
    expect(await keyTypeOf(server, gun, 'snapshot')).toBe('ecdsa');
    expect(await keyTypeOf(server, gun, 'timestamp')).toBe('ed25519');
    expect(await notary.lookup(gun, '1')).toBe(SHA256);
    expect(await notary.lookup(gun, '2')).toBeUndefined();
  });

  test('each key is rotated, and each rotation is one root version', async () => {
    const gun = 'registry.test/rotated';
    await notary.init(gun);
    await notary.addHash(gun, '1', 7, SHA256);
    const steps = [
      ['root', {}],
      ['targets', {}],
      ['snapshot', {}],
      ['snapshot', { serverManaged: true }],
      ['timestamp', { serverManaged: true }],
      ['root', { keyFile: await notary.createRsaKey() }],
    ] as const;
    for (const [role, options] of steps) await notary.rotate(gun, role, options);
    const last = steps.length + 1;
    expect((await read(server, gun, 'root.json')).signed.version).toBe(last);
    for (let version = 1; version <= last; version += 1) {
      expect((await read(server, gun, `${version}.root.json`)).signed.version).toBe(version);
    }
    expect((await server.fetchFile(gun, `${last + 1}.root.json`)).status).toBe(404);
    expect(await keyTypeOf(server, gun, 'root')).toBe('rsa-x509');
    const fresh = await NotaryClient.create(server);
    expect(await fresh.list(gun)).toEqual([{ name: '1', digest: SHA256, size: 7, role: 'targets' }]);
  });

  test('a delegation to an x509 certificate signs inside its paths only', async () => {
    const gun = 'registry.test/delegated';
    await notary.init(gun);
    const qa = await notary.createSigner('qa', 'rsa');
    await notary.addDelegation(gun, 'targets/qa', [qa.certFile], ['v1', 'rel-']);
    await notary.addHash(gun, 'rel-7', 7, SHA256, { roles: ['targets/qa'] });
    await expect(notary.addHash(gun, 'other', 7, SHA256, { roles: ['targets/qa'] })).rejects.toThrow(
      'Could not add',
    );
    await notary.reset(gun);
    await notary.witness(gun, ['targets/qa']);
    const { signed, signatures } = await read(server, gun, 'targets/qa.json');
    expect([signed.version, signatures[0]?.method]).toEqual([2, 'rsapss']);
    expect((await read(server, gun, 'targets.json')).signed.delegations.roles).toMatchObject([
      { name: 'targets/qa', paths: ['v1', 'rel-'] },
    ]);
    expect(await notary.list(gun)).toEqual([{ name: 'rel-7', digest: SHA256, size: 7, role: 'targets/qa' }]);
  });

  test('a suspended server refuses connections and has lost nothing when it is back', async () => {
    const gun = 'registry.test/suspended';
    await notary.init(gun);
    await server.suspend();
    const refused = await new Promise((resolve) => {
      connect(server.port, '127.0.0.1').on('error', resolve).on('connect', resolve);
    });
    expect(refused).toMatchObject({ code: 'ECONNREFUSED' });
    expect(await notary.notary(['lookup', gun, 'x'])).toMatchObject({ status: 1 });
    await server.resume();
    await notary.addHash(gun, '1', 7, SHA256);
    expect(await notary.list(gun)).toHaveLength(1);
  });

  test('a server with a separate signer makes ecdsa keys', async () => {
    const gun = 'registry.test/ecdsa-server-keys';
    const withSigner = await startNotaryServer({ serverKeys: 'ecdsa' });
    const client = await NotaryClient.create(withSigner);
    await client.init(gun);
    await client.rotate(gun, 'snapshot', { serverManaged: true });
    expect(await keyTypeOf(withSigner, gun, 'timestamp')).toBe('ecdsa');
    expect(await keyTypeOf(withSigner, gun, 'snapshot')).toBe('ecdsa');
  });
});

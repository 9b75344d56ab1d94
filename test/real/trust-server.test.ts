/** The Docker CLI that verifies signatures itself (up to version 28), with the proxy as its trust server. */
import { beforeAll, expect, test } from '@jest/globals';
import { createAuthority } from './certificates.ts';
import { DockerClient } from './docker.ts';
import { startDockerd } from './dockerd.ts';
import { startNotaryServer } from './notary-server.ts';
import { describeReal, SETUP_TIMEOUT } from './parts.ts';
import { makeTempDir } from './process.ts';
import { type RunningProxy, startProxy } from './proxy.ts';
import { startRegistry } from './registry.ts';

describeReal(
  'the proxy as trust server of a Docker CLI with content trust',
  ['docker-registry', 'notary-server', 'dockerd', 'docker', 'openssl'],
  () => {
    let repository: string;
    let digest: string;
    let consumer: DockerClient;
    let proxy: RunningProxy;

    beforeAll(async () => {
      const [registry, trust, daemon, folder] = await Promise.all([
        startRegistry(),
        startNotaryServer(),
        startDockerd(),
        makeTempDir('tls'),
      ]);
      const publisher = await DockerClient.create({ host: daemon.host, trust });
      repository = `${registry.address}/admin/demo`;
      await publisher.trustSignerAdd('jeff', await publisher.trustKeyGenerate('jeff'), repository);
      await publisher.importImage(`${repository}:1`, 'signed');
      await publisher.trustSign(`${repository}:1`);
      digest = (await publisher.push(`${repository}:1`)).digest;
      await publisher.importImage(`${repository}:1`, 'pushed over it');
      await publisher.push(`${repository}:1`);
      await publisher.importImage(`${repository}:unsigned`, 'unsigned');
      await publisher.push(`${repository}:unsigned`);
      const authority = await createAuthority(folder);
      const { certFile: cert, keyFile: key } = await authority.issue('proxy', 'serverAuth');
      const listen = { address: '127.0.0.1', port: 0, tls: { cert, key } };
      proxy = await startProxy({ registry, trust, refresh: '10m', settings: { listen } });
      const port = Number(proxy.address.split(':')[1]);
      const through = { url: `https://localhost:${port}`, port, caFile: authority.caFile };
      consumer = await DockerClient.create({ host: daemon.host, trust: through });
    }, SETUP_TIMEOUT);

    test('it pulls what was signed, and refuses what was not', async () => {
      const pulled = await consumer.pull(`${repository}:1`, { contentTrust: true });
      expect(pulled).toMatchObject({
        status: 0,
        stderr: expect.stringContaining(`Tagging ${repository}@${digest}`),
      });
      const refused = await consumer.pull(`${repository}:unsigned`, { contentTrust: true });
      expect(refused.status).not.toBe(0);
      expect(refused.stderr).toContain('No valid trust data for unsigned');
    });

    test('it shows the signers, and what it read twice was kept', async () => {
      const { SignedTags } = await consumer.trustInspect(repository);
      expect(SignedTags).toEqual([
        { SignedTag: '1', Digest: digest.slice('sha256:'.length), Signers: ['jeff'] },
      ]);
      const asked = async (): Promise<number> => {
        const line = /^pullwarden_upstream_requests_total\{.*kind="notary",outcome="ok"\} (\d+)$/m;
        return Number(line.exec(await proxy.metrics())?.[1]);
      };
      const before = await asked();
      await consumer.trustInspect(repository);
      expect(await asked()).toBe(before);
    });

    test('it cannot publish through it', async () => {
      await consumer.importImage(`${repository}:2`, 'two');
      const signed = await consumer.docker(['trust', 'sign', `${repository}:2`]);
      expect(signed.status).not.toBe(0);
    });
  },
);

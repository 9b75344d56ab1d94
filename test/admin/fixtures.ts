/** A status as a running proxy would give it, for the admin tests. */
import type { Status } from '../../proxy/admin/types.ts';
import type { TrustStatus } from '../../proxy/telemetry/trust-status.ts';
import { AT, roleStatus } from '../telemetry/fixtures.ts';

export const DAY_MS = 24 * 60 * 60 * 1000;
export const NOW = AT;

export function trustStatus(gun: string, days: number): TrustStatus {
  const expires = new Date(NOW.getTime() + days * DAY_MS);
  const roles = [roleStatus('root', new Date('2036-01-01T00:00:00Z')), roleStatus('timestamp', expires)];
  return { gun, expires, firstToExpire: 'timestamp', verifiedAt: NOW, roles };
}

export function statusWith(overrides: Partial<Status> = {}): Status {
  return {
    version: '1.2.3',
    revision: 'abc123',
    startedAt: NOW,
    policy: {
      hash: 'policy-hash-1',
      loadedAt: NOW,
      reloadError: undefined,
      unmatched: 'deny',
      rules: [
        {
          name: 'base-images',
          match: 'docker.io/library/*',
          mode: 'enforce',
          signers: undefined,
          tagList: 'signed',
        },
      ],
    },
    canary: { image: 'docker.io/library/hello-world:linux', refusedAt: undefined },
    registries: [
      {
        name: 'docker.io',
        upstream: 'https://registry-1.docker.io',
        aliases: ['index.docker.io'],
        trustServer: 'https://notary.example.com',
      },
    ],
    trust: [trustStatus('docker.io/library/alpine', 13)],
    ...overrides,
  };
}

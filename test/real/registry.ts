import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { makeTempDir, onFreePort, type Service, startService } from './process.ts';
import { programOf } from './programs.ts';

export interface RegistryOptions {
  /** URL of another registry: this one becomes its pull-through mirror. */
  readonly proxyRemote?: string;
  /** Lines of an Apache htpasswd file (bcrypt only): this registry asks for Basic credentials. */
  readonly htpasswd?: string;
  /** This registry asks for Bearer tokens, as its `auth: token` has them. */
  readonly token?: TokenAuth;
}

export interface TokenAuth {
  /** URL where clients get tokens. */
  readonly realm: string;
  readonly service: string;
  readonly issuer: string;
  /** Certificates of the keys that sign tokens, PEM. */
  readonly certFile: string;
}

/** An account for `RegistryOptions.htpasswd`; Debian's base system has no program that writes bcrypt. */
export const READER = {
  username: 'reader',
  password: 'reader-password',
  htpasswd: 'reader:$2y$05$abcdefghijklmnopqrstuuMuUSIug2fA.aFg27vpC2R8WRma0BnOy\n',
} as const;

export interface Registry {
  /** `localhost:PORT`, as it stands in image references; plain HTTP on loopback. */
  readonly address: string;
  readonly url: string;
  log(): string;
  stop(): Promise<void>;
}

/** Starts docker-registry with its own temporary storage, deletes enabled. */
export async function startRegistry(options: RegistryOptions = {}): Promise<Registry> {
  const folder = await makeTempDir('registry');
  const htpasswd = join(folder, 'htpasswd');
  if (options.htpasswd !== undefined) await writeFile(htpasswd, options.htpasswd);
  return await onFreePort(async (port) => {
    const url = `http://127.0.0.1:${port}`;
    const config = join(folder, `${port}.yml`);
    await writeFile(config, describeRegistry(folder, port, options, htpasswd));
    const service = await startService({
      name: 'docker-registry',
      command: programOf('docker-registry'),
      args: ['serve', config],
      ready: async () => [200, 401].includes((await fetch(`${url}/v2/`)).status),
    });
    return toRegistry(service, port, url);
  });
}

function toRegistry(service: Service, port: number, url: string): Registry {
  const stop = async (): Promise<void> => {
    await service.stop();
  };
  return { address: `localhost:${port}`, url, log: service.log, stop };
}

/** The registry reads YAML, of which JSON is a part. */
function describeRegistry(folder: string, port: number, options: RegistryOptions, htpasswd: string): string {
  return JSON.stringify({
    version: '0.1',
    log: { level: 'info' },
    storage: { filesystem: { rootdirectory: join(folder, 'storage') }, delete: { enabled: true } },
    http: { addr: `127.0.0.1:${port}` },
    ...(options.proxyRemote === undefined ? {} : { proxy: { remoteurl: options.proxyRemote } }),
    ...(options.htpasswd === undefined ? {} : { auth: { htpasswd: { realm: 'test', path: htpasswd } } }),
    ...(options.token === undefined ? {} : { auth: { token: describeTokens(options.token) } }),
  });
}

function describeTokens({ realm, service, issuer, certFile }: TokenAuth): object {
  return { realm, service, issuer, rootcertbundle: certFile };
}

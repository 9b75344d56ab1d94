import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { unmountBelow } from './dockerd.ts';
import { makeTempDir, onCleanUp, type Result, run } from './process.ts';
import { type Part, programOf } from './programs.ts';

export interface RegistryEntry {
  /** `host:port[/path]` as it stands in image references. */
  readonly location: string;
  /** Where to ask instead, in this order, before `location` itself. */
  readonly mirrors?: readonly string[];
  /** Never ask `location` itself. */
  readonly blocked?: boolean;
}

export interface ContainersFiles {
  readonly registriesConf: string;
  readonly policy: string;
  /** Of every program, such as `HTTPS_PROXY`. */
  readonly env?: Readonly<Record<string, string>>;
}

/**
 * skopeo, podman and buildah with their own configuration and image store. Every configured place is reached over
 * plain HTTP. All methods return what the program said; a refusal is an answer.
 */
export class ContainersClient {
  readonly #folder: string;
  readonly #files: ContainersFiles;

  static async create(registries: readonly RegistryEntry[]): Promise<ContainersClient> {
    const folder = await makeTempDir('registries');
    const files = { registriesConf: join(folder, 'registries.conf'), policy: join(folder, 'policy.json') };
    await writeFile(files.registriesConf, registries.map(describeEntry).join('\n'));
    await writeFile(files.policy, JSON.stringify({ default: [{ type: 'insecureAcceptAnything' }] }));
    return await ContainersClient.withFiles(files);
  }

  static async withFiles(files: ContainersFiles): Promise<ContainersClient> {
    const folder = await makeTempDir('containers');
    onCleanUp(() => unmountBelow(folder));
    await mkdir(join(folder, 'home'));
    await mkdir(join(folder, 'tmp'));
    return new ContainersClient(folder, files);
  }

  private constructor(folder: string, files: ContainersFiles) {
    this.#folder = folder;
    this.#files = files;
  }

  /** Copies an image (`host:port/name:tag` or `@digest`) into a folder; its manifest is then `DIR/manifest.json`. */
  async skopeoCopy(image: string): Promise<Result & { readonly folder: string }> {
    const folder = await makeTempDir('skopeo');
    const result = await this.#run('skopeo', [...this.#skopeo, 'copy', `docker://${image}`, `dir:${folder}`]);
    return { ...result, folder };
  }

  /** Any other skopeo command, for example `['inspect', '--raw', 'docker://…']` or `['list-tags', …]`. */
  skopeo(args: readonly string[]): Promise<Result> {
    return this.#run('skopeo', [...this.#skopeo, ...args]);
  }

  /** Pulls into podman's own store and prints the image ID. */
  podmanPull(image: string): Promise<Result> {
    return this.podman(['pull', '--quiet', '--signature-policy', this.#files.policy, image]);
  }

  /** Any other podman command on the same store. */
  podman(args: readonly string[]): Promise<Result> {
    return this.#run('podman', [...this.#store('podman'), ...args]);
  }

  /** Pulls into buildah's own store and prints the image ID. */
  buildahPull(image: string): Promise<Result> {
    return this.buildah(['pull', '--quiet', '--signature-policy', this.#files.policy, image]);
  }

  /** Any other buildah command on the same store. */
  buildah(args: readonly string[]): Promise<Result> {
    return this.#run('buildah', [...this.#store('buildah'), ...args]);
  }

  get #skopeo(): readonly string[] {
    return ['--registries-conf', this.#files.registriesConf, '--policy', this.#files.policy];
  }

  #store(name: string): readonly string[] {
    const [root, runRoot] = [join(this.#folder, `${name}-root`), join(this.#folder, `${name}-run`)];
    return ['--root', root, '--runroot', runRoot, '--storage-driver', 'vfs'];
  }

  #run(part: Part, args: readonly string[]): Promise<Result> {
    const env = {
      ...this.#files.env,
      HOME: join(this.#folder, 'home'),
      TMPDIR: join(this.#folder, 'tmp'),
      XDG_RUNTIME_DIR: join(this.#folder, 'tmp'),
      CONTAINERS_REGISTRIES_CONF: this.#files.registriesConf,
    };
    return run(programOf(part), args, { env });
  }
}

function describeEntry(entry: RegistryEntry): string {
  const mirrors = (entry.mirrors ?? []).map(
    (location) => `[[registry.mirror]]\nlocation = "${location}"\ninsecure = true\n`,
  );
  const head = `[[registry]]\nlocation = "${entry.location}"\ninsecure = true\n`;
  return [head, `blocked = ${entry.blocked === true}\n`, ...mirrors].join('');
}

/** A unit that points podman, CRI-O or buildah at another registries.conf. */
import { assignments, readService } from './environment.ts';
import type { Hole, Scene } from './types.ts';

const SERVICES = ['podman', 'crio', 'kubelet'];
const VARIABLES = new Set(['CONTAINERS_REGISTRIES_CONF', 'REGISTRIES_CONFIG_PATH']);

export function examineOverrides({ files }: Scene): readonly Hole[] {
  return SERVICES.flatMap((service) =>
    assignments(readService(files, service))
      .filter(
        ({ name, value }) =>
          VARIABLES.has(name) && value !== '' && value !== '/etc/containers/registries.conf',
      )
      .map(({ name, value, file, line }) => ({
        file,
        line,
        client: service,
        open: `${name} replaces /etc/containers/registries.conf with ${value}`,
        write: `remove ${name}`,
      })),
  );
}

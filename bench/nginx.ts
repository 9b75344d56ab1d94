/** nginx as the plain reverse proxy everybody knows: one worker, kept connections, its own buffering defaults. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { makeTempDir, onFreePort, startService } from '../test/real/process.ts';
import { programOf } from '../test/real/programs.ts';

/** @param upstreams asked in turn. @returns its base URL */
export async function startNginx(...upstreams: readonly string[]): Promise<string> {
  const folder = await makeTempDir('bench-nginx');
  return await onFreePort(async (port) => {
    const url = `http://127.0.0.1:${port}`;
    const config = join(folder, 'nginx.conf');
    await writeFile(config, describeNginx(folder, port, upstreams));
    await startService({
      name: 'nginx',
      command: programOf('nginx'),
      args: ['-p', folder, '-c', config, '-e', 'stderr'],
      ready: async () => (await fetch(`${url}/v2/`)).ok,
    });
    return url;
  });
}

function describeNginx(folder: string, port: number, upstreams: readonly string[]): string {
  const servers = upstreams.map((upstream) => `server ${new URL(upstream).host};`).join(' ');
  const kinds = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
  return `
    daemon off;
    worker_processes 1;
    ${process.getuid?.() === 0 ? 'user root;' : ''}
    pid ${join(folder, 'nginx.pid')};
    events { worker_connections 1024; }
    http {
      access_log off;
      ${kinds.map((kind) => `${kind}_temp_path ${join(folder, kind)};`).join(' ')}
      upstream registry { ${servers} keepalive 64; }
      server {
        listen 127.0.0.1:${port};
        location / {
          proxy_pass http://registry;
          proxy_http_version 1.1;
          proxy_set_header Connection "";
          proxy_set_header Host $http_host;
        }
      }
    }
  `;
}

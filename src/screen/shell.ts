/**
 * Command lines that the output suggests. Names of devices, namespaces and files are untrusted, so each value becomes one
 * word of a POSIX shell (XCU 2.2, Quoting) in printable ASCII, which `harmless` does not change.
 */
declare const made: unique symbol;

/** A command line in which every value is quoted. Only the functions of this file make one. */
export type CommandLine = string & { readonly [made]: true };

/** A value that the reader has to fill in, such as `<VTEP>`; it is not quoted. */
export class Blank {
  readonly text: string;

  constructor(name: string) {
    this.text = `<${name}>`;
  }
}

export const blank = (name: string): Blank => new Blank(name);

/** A list becomes one word per item. */
export type Word = string | number | Blank;
type Value = Word | readonly Word[];

/**
 * @example sh`ip link set ${name} up`
 */
export function sh(fixed: TemplateStringsArray, ...values: readonly Value[]): CommandLine {
  let line = fixed[0] ?? '';
  for (const [at, value] of values.entries()) {
    const words = Array.isArray(value) ? (value as readonly Word[]) : [value as Word];
    // An empty list also removes the space before it.
    line =
      (words.length === 0 ? line.replace(/ $/, '') : line + words.map(word).join(' ')) +
      (fixed[at + 1] ?? '');
  }
  return line as CommandLine;
}

const word = (value: Word): string => (value instanceof Blank ? value.text : quoted(String(value)));

/** Quotes a text as one word. */
export function quoted(text: string): string {
  if (/^[\w@%+=:,./-]+$/.test(text)) return text;
  if (/^[\x20-\x7e]*$/.test(text)) return `'${text.replaceAll("'", `'\\''`)}'`;
  // printf(1) makes the bytes, because a terminal must not get them, and not every shell knows `$'…'`.
  const bytes = [...Buffer.from(text)].map((byte) =>
    /[\w@+=:,./]/.test(String.fromCharCode(byte))
      ? String.fromCharCode(byte)
      : byte === 0x25
        ? '%%'
        : `\\${byte.toString(8).padStart(3, '0')}`,
  );
  return `"$(printf '${bytes.join('')}')"`;
}

/** Appends words to a command line. */
export const extended = (command: CommandLine, ...words: readonly Word[]): CommandLine =>
  [command, ...words.map(word)].join(' ') as CommandLine;

/** Several commands, each only if the one before it succeeded. */
export const allOf = (commands: readonly CommandLine[]): CommandLine => commands.join(' && ') as CommandLine;

export const piped = (command: CommandLine, reader: CommandLine): CommandLine =>
  `${command} | ${reader}` as CommandLine;

/** Appends a shell comment to a command. */
export const remarked = (command: CommandLine, remark: string): CommandLine =>
  `${command}   # ${remark}` as CommandLine;

/** Device names that need `dev` before them: iproute2 takes them, and every prefix of `help`, for keywords. */
const KEYWORDS = new Set(
  'dev up down type name index link master nomaster vrf netns mtu address addr arp group multicast promisc allmulticast alias qlen txqueuelen trailers dynamic protodown'.split(
    ' ',
  ),
);

/** A device as the argument of `ip link`. */
export const device = (name: string): string | string[] =>
  KEYWORDS.has(name) || 'help'.startsWith(name) ? ['dev', name] : name;

/**
 * The command line that runs a command in a network namespace.
 * @param path of the namespace; null for the namespace of this process
 */
export function typed(path: string | null, command: CommandLine): CommandLine {
  if (path === null) return command;
  const name = /^\/(?:var\/)?run\/netns\/([^/]+)$/s.exec(path)?.[1];
  const rest = command as string;
  if (name === undefined) return `${sh`nsenter ${`--net=${path}`}`} ${rest}` as CommandLine;
  const tool = /^(ip|bridge|tc) (.*)$/s.exec(rest);
  return (
    tool === null
      ? `${sh`ip netns exec ${name}`} ${rest}`
      : `${tool[1] ?? ''} ${sh`-n ${name}`} ${tool[2] ?? ''}`
  ) as CommandLine;
}

/**
 * The command that sets a kernel parameter of a namespace. sysctl(8) takes dots in a device name for separators unless the
 * separators are slashes, and some characters for a pattern.
 * @param parts of the name, from `net` on
 */
export function setSysctl(path: string | null, parts: readonly string[], value: number): CommandLine {
  if (!parts.every((part) => /^[\w.@+-]+$/.test(part))) {
    const write = sh`echo ${value} >${`/proc/sys/${parts.join('/')}`}`;
    return path === null ? write : typed(path, sh`sh -c ${write}`);
  }
  const name = parts.join(parts.some((part) => part.includes('.')) ? '/' : '.');
  return typed(path, sh`sysctl -w ${name}=${value}`);
}

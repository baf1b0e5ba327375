import { beforeEach, describe, expect, it } from 'vitest';
import type { ServedDevice } from '../../../src/model/device.ts';
import { PortStates } from '../../../src/links/port-states.ts';
import type { Link } from '../../../src/base/vocabulary.ts';
import { BRIDGE, World, link } from '../fake/world.ts';

const OTHER_BRIDGE = 3;
const port = (rest: Partial<Link> = {}): Link => link('p1', 7, { master: BRIDGE, ...rest });

let states: PortStates;
let device: ServedDevice;
beforeEach(() => {
  states = new PortStates();
  device = new World().device();
});

const behind = (bridge: number): ServedDevice | undefined => (bridge === BRIDGE ? device : undefined);
function follow(one: Link, removed = false): string[] {
  return states.follow(one, removed, behind).map((event) => {
    expect(event).toMatchObject({ type: 'port', device, port: 7 });
    return event.type === 'port' ? event.state : event.type;
  });
}

describe('a port of a guest', () => {
  it.each<[string, Link, boolean, string[]]>([
    ['is up', port(), false, []],
    ['goes down', port({ up: false }), false, ['down']],
    ['loses its carrier', port({ noCarrier: true }), false, ['down']],
    ['leaves the bridge', port({ master: 0 }), false, ['gone']],
    ['moves to a bridge without a served device', port({ master: OTHER_BRIDGE }), false, ['gone']],
    ['is removed', port({ master: 0 }), true, ['gone']],
    ['becomes something else', port({ kind: 'bond' }), false, ['gone']],
  ])('%s', (_, next, removed, told) => {
    expect(follow(port())).toEqual(['up']);
    expect(follow(next, removed)).toEqual(told);
    expect(follow(next, removed)).toEqual([]);
  });

  it('is reported when it can be used, not when it is created', () => {
    expect(follow(port({ noCarrier: true }))).toEqual([]);
    expect(follow(port())).toEqual(['up']);
  });

  it('is reported with the bridge that it enters', () => {
    expect(follow(port({ master: OTHER_BRIDGE }))).toEqual([]);
    expect(follow(port())).toEqual(['up']);
  });

  it('is ignored if it is of another kind', () => {
    expect(follow(port({ kind: 'bond' }))).toEqual([]);
    expect(follow(port({ kind: 'vxlan', up: false }))).toEqual([]);
  });
});

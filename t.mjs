import { tryFeatures } from './dist/doctor/trials.js';
import { LinuxKernel } from './dist/kernel/linux.js';
console.time('t'); console.log(await tryFeatures(new LinuxKernel())); console.timeEnd('t');

import { LinuxKernel } from './dist/kernel/linux.js';
const ns = new LinuxKernel().open(null, {receiveBuffer: 0});
console.log(ns.getNeighbourTable(4), ns.getNeighbourTable(6), ns.getAppSolicit(1,4));
const t=performance.now(); for (let i=0;i<1000;i++) ns.getNeighbourTable(4); console.log((performance.now()-t)+' us each');
ns.events$.subscribe().unsubscribe();

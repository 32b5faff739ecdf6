// The measurements on V8: node [FLAGS] v8.mjs WORK REPORT NUMBER [LOOP]
//
// NUMBER is how often the program runs, or the loop goes round. Costs are reported as by the other engines: a line
// each, with CPU time of all threads and time on the wall in nanoseconds. LOOP is the module of the one loop.
import { readFileSync, writeFileSync } from "node:fs";
import { WASI } from "node:wasi";

const [work, report, number, loop] = process.argv.slice(2);

function cpu() {
  const { user, system } = process.cpuUsage();
  return (user + system) * 1e3;
}

function measured(action) {
  const [cpuBefore, wallBefore] = [cpu(), process.hrtime.bigint()];
  action();
  return [cpu() - cpuBefore, Number(process.hrtime.bigint() - wallBefore)];
}

function run(module, bench) {
  const wasi = new WASI({ version: "preview1", args: ["program.wasm"], preopens: { ".": "." } });
  const instance = new WebAssembly.Instance(module, { ...wasi.getImportObject(), bench });
  const status = wasi.start(instance);
  if (status) throw new Error(`the program ended with ${status}`);
}

/// The bytes of the code section, and the module with a custom section that makes it another one for caches.
function section(wasm) {
  for (let at = 8; at < wasm.length; ) {
    const id = wasm[at++];
    let size = 0;
    for (let shift = 0, more = true; more; shift += 7) {
      const byte = wasm[at++];
      size += (byte & 0x7f) * 2 ** shift;
      more = byte >= 0x80;
    }
    if (id === 10) return size;
    at += size;
  }
  return 1;
}

function variant(wasm, number) {
  return Buffer.concat([wasm, Buffer.from([0, 3, 1, 0x61, number])]);
}

const nothing = { start() {}, end() {} };
const costs = [];
switch (work) {
  case "start":
  case "whole": {
    const bench = work === "start" ? { ...nothing, start: () => process.reallyExit(0) } : nothing;
    run(new WebAssembly.Module(readFileSync("program.wasm")), bench);
    break;
  }
  case "baseline": {
    const wasm = readFileSync("program.wasm");
    const all = [];
    for (let turn = 0; turn < 3; turn++) {
      const bytes = variant(wasm, turn);
      all.push(measured(() => new WebAssembly.Module(bytes)));
    }
    const least = (which) => Math.min(...all.map((cost) => cost[which])) / section(wasm);
    costs.push(["compile", least(0), least(1)]);
    break;
  }
  case "lengths": {
    const module = new WebAssembly.Module(readFileSync("program.wasm"));
    for (let runs = 1; runs <= Number(number); runs++) {
      run(module, nothing);
      if ((runs & (runs - 1)) === 0) costs.push([`${String(runs).padStart(4)} runs`, cpu(), cpu()]);
    }
    break;
  }
  case "loop": {
    const bytes = readFileSync(loop);
    const cost = measured(() => {
      const instance = new WebAssembly.Instance(new WebAssembly.Module(bytes));
      instance.exports.run(Number(number));
    });
    costs.push(["execute", ...cost]);
    break;
  }
  default:
    throw new Error(`this is not measured of V8: ${work}`);
}
if (report) writeFileSync(report, costs.map((cost) => cost.join("\t") + "\n").join(""));

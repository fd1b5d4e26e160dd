import { assertEquals } from "@std/assert";
import { KvmTranslation } from "../../mod.ts";
import { change, HLT, HLT_64, paging32, pagingPae, poke32 } from "./guests.ts";
import { alias, type Case, flatProtected, Guest, poke, region } from "./harness.ts";

/** A translation as `[physical address, writeable, usermode]`, or null where invalid. */
function translate(guest: Guest, address: bigint): [bigint, number, number] | null {
  const { valid, physical_address, writeable, usermode } = guest.vcpu.translate(address);
  return valid ? [physical_address, writeable, usermode] : null;
}

/** KVM_TRANSLATE in each paging mode. */
export const TRANSLATE_CASES: readonly Case[] = [
  {
    name: "translate() without paging is the address itself",
    run: (kvm) => {
      using guest = new Guest(kvm, HLT);
      assertEquals(translate(guest, 0x12345n)?.[0], 0x12345n);
      assertEquals(translate(guest, 0xfffffff0n)?.[0], 0xfffffff0n);
    },
  },
  {
    name: "translate() in long mode walks four levels, 2 MiB pages too",
    run: (kvm) => {
      using guest = new Guest(kvm, HLT, { mode: "long" });
      assertEquals(translate(guest, 0x12345n), [0x12345n, 1, 0]);
      poke(guest.vm, 0xa008, [0x600083n, 0xb007n]);
      poke(guest.vm, 0xb000, [0x77000n | 7n, 0x78000n | 5n, 0n]);
      assertEquals(translate(guest, 0x2abcden), [0x6abcden, 1, 0]);
      assertEquals(translate(guest, 0x400123n), [0x77123n, 1, 0]);
      assertEquals(translate(guest, 0x401123n), [0x78123n, 0, 0]);
      assertEquals(translate(guest, 0x402123n), null);
      assertEquals(translate(guest, 0x8000000000n), null);
    },
  },
  {
    name: "translate() says user mode and writeable only if every level does",
    run: (kvm) => {
      using guest = new Guest(kvm, HLT, { mode: "long" });
      poke(guest.vm, 0x8000, [0x9007n]);
      poke(guest.vm, 0x9000, [0xa007n]);
      poke(guest.vm, 0xa010, [0xb005n, 0xb003n, 0xb007n]);
      poke(guest.vm, 0xb000, [0x77000n | 7n]);
      assertEquals(translate(guest, 0x400000n), [0x77000n, 0, 1]);
      assertEquals(translate(guest, 0x600000n), [0x77000n, 1, 0]);
      assertEquals(translate(guest, 0x800000n), [0x77000n, 1, 1]);
    },
  },
  {
    name: "translate() with 32-bit paging, 4 MiB pages too",
    needs: ["paging32"],
    run: (kvm) => {
      using guest = new Guest(kvm, HLT, {
        mode: "protected",
        sregs: (sregs) => Object.assign(sregs, { cr3: 0x8000n, cr4: 0x10n, cr0: sregs.cr0 | 0x80000000n }),
      });
      guest.vm.write(0x8000, new Uint8Array(Uint32Array.of(0x9007, 0xc00083).buffer));
      guest.vm.write(0x9000, new Uint8Array(Uint32Array.of(0x77007, 0x78005, 0).buffer));
      assertEquals(translate(guest, 0x123n), [0x77123n, 1, 1]);
      assertEquals(translate(guest, 0x1123n), [0x78123n, 0, 1]);
      assertEquals(translate(guest, 0x2123n), null);
      assertEquals(translate(guest, 0x512345n), [0xd12345n, 1, 0]);
      assertEquals(translate(guest, 0x800000n), null);
    },
  },
  {
    name: "translate() with PAE",
    needs: ["paging32"],
    run: (kvm) => {
      using guest = new Guest(kvm, HLT);
      poke(guest.vm, 0x8000, [0x9001n, 0n, 0n, 0n]);
      poke(guest.vm, 0x9000, [0xa007n, 0x83n | 0x1_0020_0000n]);
      poke(guest.vm, 0xa000, [0x77007n, 0n]);
      const sregs = guest.vcpu.getSregs();
      flatProtected(sregs);
      sregs.cr3 = 0x8000n;
      sregs.cr4 = 0x20n;
      sregs.cr0 |= 0x80000000n;
      guest.vcpu.setSregs(sregs);
      assertEquals(translate(guest, 0x123n), [0x77123n, 1, 1]);
      assertEquals(translate(guest, 0x1123n), null);
      assertEquals(translate(guest, 0x234567n), [0x100234567n, 1, 0]);
      assertEquals(translate(guest, 0x40000000n), null);
    },
  },
  {
    name: "translate() of an address that is not canonical is invalid",
    run: (kvm) => {
      using guest = new Guest(kvm, HLT, { mode: "long" });
      assertEquals(translate(guest, 0x800000000000n), null);
      assertEquals(translate(guest, 0x8000000000000000n), null);
    },
  },
  {
    name: "translate() changes no page table",
    run: (kvm) => {
      using guest = new Guest(kvm, HLT, { mode: "long" });
      const before = guest.vm.read(0x8000, 0x3000);
      translate(guest, 0x12345n);
      assertEquals(guest.vm.read(0x8000, 0x3000), before);
    },
  },
  {
    name: "translate() without paging looks at 32 bits of the address, and allows everything",
    run: (kvm) => {
      using guest = new Guest(kvm, HLT, { mode: "protected" });
      assertEquals(translate(guest, 0xfedcba98n), [0xfedcba98n, 1, 1]);
    },
  },
  {
    name: "translate() into a view of the caller's",
    run: (kvm) => {
      using guest = new Guest(kvm, HLT);
      const view = new KvmTranslation({ linear_address: 0x1234 });
      assertEquals(guest.vcpu.translate(view) === view, true);
      assertEquals([view.linear_address, view.physical_address, view.valid], [0x1234n, 0x1234n, 1]);
    },
  },
  {
    name: "translate() is valid for a page without memory behind it",
    run: (kvm) => {
      using guest = new Guest(kvm, HLT_64, { mode: "long" });
      assertEquals(translate(guest, 0x3fe00123n)?.[0], 0x3fe00123n);
    },
  },
  {
    name: "translate() with 32-bit paging and CR4.PSE clear takes the PS bit for nothing",
    needs: ["paging32"],
    run: (kvm) => {
      using guest = new Guest(kvm, HLT, { mode: "protected", sregs: paging32(false) });
      poke32(guest.vm, 0x8000, [0x9087]);
      poke32(guest.vm, 0x9000, [0x77003]);
      assertEquals(translate(guest, 0x123n), [0x77123n, 1, 0]);
      assertEquals(translate(guest, 0x1123n), null);
    },
  },
  {
    name: "translate() with PSE-36 reaches beyond 4 GiB",
    needs: ["paging32"],
    run: (kvm) => {
      using guest = new Guest(kvm, HLT, { mode: "protected", sregs: paging32(true) });
      poke32(guest.vm, 0x8000, [0x00402083]);
      assertEquals(translate(guest, 0x12345n), [0x1_0041_2345n, 1, 0]);
    },
  },
  {
    name: "translate() with 32-bit paging needs writing and user mode at both levels",
    needs: ["paging32"],
    run: (kvm) => {
      using guest = new Guest(kvm, HLT, { mode: "protected", sregs: paging32(true) });
      poke32(guest.vm, 0x8000, [0x9001, 0x9003, 0x9005, 0x9007]);
      poke32(guest.vm, 0x9000, [0x77007]);
      assertEquals(
        [0n, 0x400000n, 0x800000n, 0xc00000n].map((address) => translate(guest, address)?.slice(1)),
        [[0, 0], [1, 0], [0, 1], [1, 1]],
      );
    },
  },
  {
    name: "translate() with PAE needs writing and user mode at both levels, and all four pointers count",
    needs: ["paging32"],
    run: (kvm) => {
      using guest = new Guest(kvm, HLT);
      const paging = pagingPae(guest.vm);
      poke(guest.vm, 0x8000, [0x9001n, 0n, 0xb001n, 0x9001n]);
      poke(guest.vm, 0x9000, [0xa005n, 0xa003n]);
      poke(guest.vm, 0xa000, [0x77007n]);
      poke(guest.vm, 0xb000, [0x400087n]);
      change(guest, paging);
      assertEquals(translate(guest, 0n), [0x77000n, 0, 1]);
      assertEquals(translate(guest, 0x200000n), [0x77000n, 1, 0]);
      assertEquals(translate(guest, 0x40000000n), null);
      assertEquals(translate(guest, 0x80012345n), [0x412345n, 1, 1]);
      assertEquals(translate(guest, 0xc0000000n), [0x77000n, 0, 1]);
    },
  },
  {
    name: "translate() in long mode with pages of 1 GiB",
    run: (kvm) => {
      using guest = new Guest(kvm, HLT_64, { mode: "long" });
      poke(guest.vm, 0x9008, [0x1_8000_0087n]);
      assertEquals(translate(guest, 0x4123_4567n), [0x1_8123_4567n, 1, 0]);
    },
  },
  {
    name: "translate() in long mode of an address in the upper half",
    run: (kvm) => {
      using guest = new Guest(kvm, HLT_64, { mode: "long" });
      poke(guest.vm, 0x8ff8, [0x9003n]);
      assertEquals(translate(guest, 0xffffff8000001234n), [0x1234n, 1, 0]);
      assertEquals(translate(guest, 0xffff800000000000n), null);
    },
  },
  {
    name: "translate() in long mode of an address that no level maps, one for each level",
    run: (kvm) => {
      using guest = new Guest(kvm, HLT_64, { mode: "long" });
      poke(guest.vm, 0xa008, [0xb003n]);
      poke(guest.vm, 0xb000, [0x77003n]);
      assertEquals(translate(guest, 0x200000n)?.[0], 0x77000n);
      assertEquals(translate(guest, 0x201000n), null);
      poke(guest.vm, 0xa008, [0n]);
      assertEquals(translate(guest, 0x200000n), null);
      poke(guest.vm, 0x9000, [0n]);
      assertEquals(translate(guest, 0n), null);
      poke(guest.vm, 0x8000, [0n]);
      assertEquals(translate(guest, 0n), null);
    },
  },
  {
    name: "translate() in long mode of an address beyond the tables' memory is invalid",
    run: (kvm) => {
      using guest = new Guest(kvm, HLT_64, { mode: "long" });
      poke(guest.vm, 0x9008, [0x7000_0003n]);
      assertEquals(translate(guest, 0x40000000n), null);
    },
  },
  {
    name: "translate() sees what the host wrote into the tables at once",
    run: (kvm) => {
      using guest = new Guest(kvm, HLT_64, { mode: "long" });
      guest.expectHlt();
      for (const page of [0x600000n, 0x800000n]) {
        poke(guest.vm, 0xa008, [page | 0x83n]);
        assertEquals(translate(guest, 0x200000n), [page, 1, 0]);
      }
    },
  },
  {
    name: "translate() walks tables behind an alias",
    run: (kvm) => {
      using guest = new Guest(kvm, HLT_64, { mode: "long", data: 1 });
      region(guest.vm, 2, 0x60000, 0x1000);
      poke(guest.vm, 0x60000, [0x400083n]);
      alias(guest.vm, 0, 0x90000, 0x1000, 0x60000);
      poke(guest.vm, 0x9008, [0x90003n]);
      assertEquals(translate(guest, 0x40000042n), [0x400042n, 1, 0]);
    },
  },
];

using System.Text.Json.Nodes;

namespace Vfio.Lab.Qtest;

/// <summary>The matrix: what QEMU's client does with a device of ours, with a test in the processor's place.</summary>
internal sealed class Checks(Sandbox sandbox)
{
    private static readonly int[] Widths = [1, 2, 4, 8];
    private static readonly uint[] CopyLengths = [1, 3, 4, 63, 4096, 65536, 65537, 200_000, MatrixDevice.BufferSize];

    internal IEnumerable<(string Name, Func<Task> Run)> All()
    {
        foreach (var mapped in new[] { false, true })
        {
            var with = mapped ? "with a mapped region" : "with no mapped region";
            yield return ($"access sizes reach the device as they were made, {with}", () => AccessSizes(mapped));
            yield return (mapped ? "writes are synchronous with a mapped region" : "writes are posted with no mapped region", () => Writes(mapped));
        }

        yield return ("mapped pages are memory and the rest of the BAR traps", MappedPages);
        yield return ("MSI-X: a vector fires, masked it pends, unmasked it arrives", MsixMatrix);
        yield return ("MSI-X: disabled nothing arrives, enabled again it does", MsixDisable);
        yield return ("a system reset resets the device and it works again", SystemReset);
        foreach (var shared in new[] { true, false })
        {
            yield return ($"DMA of 1 byte to 1 MiB, {(shared ? "in shared memory" : "by message")}", () => Copies(shared));
            yield return ($"DMA to an unmapped address fails with an errno, {(shared ? "in shared memory" : "by message")}", () => UnmappedCopy(shared));
            yield return ($"without bus mastering no DMA is made, {(shared ? "in shared memory" : "by message")}", () => NoBusMaster(shared));
        }

        yield return ("hot plug, unplug, and plug again of a variant with an I/O BAR", HotPlug);
        yield return ("hot plug with nobody listening is a plain error", HotPlugNobody);
    }

    private async Task AccessSizes(bool mapped)
    {
        await using var guest = await Guest.StartAsync(sandbox, mapped, shared: true);
        Expect.Equal(MatrixFunction.Vendor | ((uint)MatrixFunction.Identity << 16), await guest.Pci.ReadConfigAsync(0), "ids");
        foreach (var width in Widths)
        {
            for (var offset = 0ul; offset < 32; offset += (ulong)width)
            {
                var value = 0x1122334455667788ul * (offset + 1) & (ulong.MaxValue >> (64 - (8 * width)));
                await guest.WriteAsync(offset, width, value);
                Expect.Equal(value, await guest.ReadAsync(offset, width), $"register {offset:x} at width {width}");
                Expect.Equal((offset, width), guest.Device.LastAccess, "the access that the device saw");
            }
        }
    }

    private async Task Writes(bool mapped)
    {
        await using var guest = await Guest.StartAsync(sandbox, mapped, shared: true);
        var write = guest.WriteAsync(MatrixDevice.Hold, 4, 1);
        await guest.Device.Held.WaitAsync();
        if (mapped)
        {
            Expect.True(!write.IsCompleted, "the write ended before the device had taken it");
            guest.Device.LetGo.Release();
            await write;
            return;
        }

        // Posted: the processor goes on while the device still holds the write.
        await write;
        guest.Device.LetGo.Release();
        await guest.WriteAsync(0, 4, 0x5AFE);
        Expect.Equal(0x5AFEul, await guest.ReadAsync(0, 4), "a read behind posted writes");
    }

    private async Task MappedPages()
    {
        await using var guest = await Guest.StartAsync(sandbox, mapped: true, shared: true);
        foreach (var page in new[] { MatrixDevice.FirstPage, MatrixDevice.SecondPage })
        {
            await guest.Pci.WriteAsync(MatrixDevice.MemoryBar, page + 8, 1, 0xA5);
            Expect.Equal((byte)0xA5, guest.Device.Page(page + 8), "what the device sees of a mapped write");
            guest.Device.Page(page + 9) = 0x5A;
            Expect.Equal(0x5Aul, await guest.Pci.ReadAsync(MatrixDevice.MemoryBar, page + 9, 1), "what the guest sees of the device's write");
        }

        Expect.Equal(0, guest.Device.TrappedMemoryAccesses, "accesses to mapped pages that trapped");
        await guest.Pci.WriteAsync(MatrixDevice.MemoryBar, MatrixDevice.PageSize, 4, 0x1234);
        Expect.Equal(0x1234ul, await guest.Pci.ReadAsync(MatrixDevice.MemoryBar, MatrixDevice.PageSize, 4), "a page that is not mapped");
        Expect.Equal(2, guest.Device.TrappedMemoryAccesses, "accesses to an unmapped page that trapped");
    }

    private async Task MsixMatrix()
    {
        await using var guest = await Guest.StartAsync(sandbox, mapped: false, shared: true);
        for (var vector = 0; vector < MatrixDevice.Vectors; vector++)
            await guest.AimVectorAsync(vector, masked: true);
        await guest.EnableMsixAsync(true);
        for (var vector = 0; vector < MatrixDevice.Vectors; vector++)
            await guest.MaskVectorAsync(vector, masked: false);
        for (var vector = 0; vector < MatrixDevice.Vectors; vector++)
        {
            await guest.WriteAsync(MatrixDevice.RaiseVector, 4, (ulong)vector);
            await guest.WaitForMessageAsync(vector);
            await guest.ForgetMessageAsync(vector);
        }

        const int Masked = 3, Other = 4;
        await guest.MaskVectorAsync(Masked, masked: true);
        await guest.WriteAsync(MatrixDevice.RaiseVector, 4, Masked);
        await guest.WriteAsync(MatrixDevice.RaiseVector, 4, Other);
        await guest.WaitForMessageAsync(Other);
        Expect.Equal(0u, await guest.ArrivedAsync(Masked), "the message of a masked vector");
        await guest.MaskVectorAsync(Masked, masked: false);
        await guest.WaitForMessageAsync(Masked);
    }

    private async Task MsixDisable()
    {
        await using var guest = await Guest.StartAsync(sandbox, mapped: false, shared: true);
        await guest.AimVectorAsync(0, masked: false);
        await guest.AimVectorAsync(1, masked: false);
        await guest.EnableMsixAsync(true);
        await guest.EnableMsixAsync(false);
        await guest.WriteAsync(MatrixDevice.RaiseVector, 4, 0);
        await guest.EnableMsixAsync(true);
        await guest.WriteAsync(MatrixDevice.RaiseVector, 4, 1);
        await guest.WaitForMessageAsync(1);
        Expect.Equal(0u, await guest.ArrivedAsync(0), "the message of a vector that was raised while MSI-X was disabled");
    }

    private async Task SystemReset()
    {
        await using var guest = await Guest.StartAsync(sandbox, mapped: false, shared: true);
        await guest.WriteAsync(0, 4, 0xDEAD);
        Expect.Equal(0xDEADul, await guest.ReadAsync(0, 4), "before the reset");
        var resets = guest.Device.Resets;
        await guest.ResetSystemAsync();
        await guest.Machine.Qmp.EventAsync("RESET");
        await guest.Pci.PlaceBarsAsync();
        Expect.Equal(0ul, await guest.ReadAsync(0, 4), "after the reset");
        Expect.True(guest.Device.Resets > resets, "the device was not reset");
        await guest.WriteAsync(0, 4, 0xBEEF);
        Expect.Equal(0xBEEFul, await guest.ReadAsync(0, 4), "a register after the reset");
    }

    private async Task Copies(bool shared)
    {
        const ulong Source = 0x200003, Target = 0x1000000;
        await using var guest = await Guest.StartAsync(sandbox, mapped: false, shared);
        var random = new Random(1);
        var data = new byte[MatrixDevice.BufferSize];
        random.NextBytes(data);
        const int Piece = 32768;
        for (var at = 0; at < data.Length; at += Piece)
        {
            var piece = data.AsSpan(at, Piece);
            await guest.Machine.CommandAsync($"write 0x{Source + (ulong)at:x} 0x{Piece:x} 0x{Convert.ToHexStringLower(piece)}");
        }

        foreach (var length in CopyLengths)
        {
            Array.Clear(guest.Device.Buffer);
            Expect.Equal(MatrixDevice.Done, await guest.CopyAsync(MatrixDevice.FromGuest, Source, length), $"reading {length} bytes");
            Expect.True(guest.Device.Buffer.AsSpan(0, (int)length).SequenceEqual(data.AsSpan(0, (int)length)), $"{length} bytes read differ");
            Expect.Equal(MatrixDevice.Done, await guest.CopyAsync(MatrixDevice.ToGuest, Target, length), $"writing {length} bytes");
            var tail = Math.Min(length, 64);
            var back = await guest.Machine.CommandAsync($"read 0x{Target + length - tail:x} 0x{tail:x}");
            Expect.Equal("0x" + Convert.ToHexStringLower(data.AsSpan((int)(length - tail), (int)tail)), back, $"the end of {length} bytes written");
        }
    }

    private async Task UnmappedCopy(bool shared)
    {
        const ulong Nowhere = 0x80_0000_0000;
        await using var guest = await Guest.StartAsync(sandbox, mapped: false, shared);
        var status = await guest.CopyAsync(MatrixDevice.FromGuest, Nowhere, 64);
        Expect.Equal(MatrixDevice.Failed | (uint)Errno.EFAULT, status, "reading where nothing is mapped");
        status = await guest.CopyAsync(MatrixDevice.ToGuest, Nowhere, 64);
        Expect.Equal(MatrixDevice.Failed | (uint)Errno.EFAULT, status, "writing where nothing is mapped");
        Expect.Equal(MatrixDevice.Done, await guest.CopyAsync(MatrixDevice.FromGuest, 0x1000, 64), "reading memory after that");
    }

    private async Task NoBusMaster(bool shared)
    {
        await using var guest = await Guest.StartAsync(sandbox, mapped: false, shared);
        await guest.Pci.WriteConfig16Async(4, 3);
        var status = await guest.CopyAsync(MatrixDevice.ToGuest, 0x1000, 64);
        Expect.True((status & MatrixDevice.Failed) != 0, $"a transfer without bus mastering ended with {status:x}");
        await guest.Pci.WriteConfig16Async(4, 7);
        Expect.Equal(MatrixDevice.Done, await guest.CopyAsync(MatrixDevice.ToGuest, 0x1000, 64), "a transfer with bus mastering");
    }

    private async Task HotPlug()
    {
        using var function = new MatrixFunction(mapped: false);
        await using var served = await ServedDevice.StartAsync(sandbox, new IoBarVariant(new Core.VfioPciCore(function.Function)));
        await using var machine = await QemuMachine.StartAsync(
            sandbox, "-M", "pc,memory-backend=mem", "-m", "64M", "-object", "memory-backend-memfd,id=mem,size=64M,share=on");
        const int Slot = 5;
        var pci = new PciSlot(machine, Slot);
        for (var round = 0; round < 2; round++)
        {
            await machine.Qmp.ExecuteAsync("device_add", served.Client("plugged", "pci.0", $"{Slot:x}"));
            Expect.Equal(MatrixFunction.Vendor | ((uint)MatrixFunction.Identity << 16), await pci.ReadConfigAsync(0), "ids of the plugged device");
            await pci.PlaceBarsAsync();
            foreach (var width in new[] { 1, 2, 4 })
            {
                await pci.OutAsync(IoBarVariant.IoBar, 8, width, 0x78563412 & (uint.MaxValue >> (32 - (8 * width))));
                Expect.Equal(0x78563412 & (uint.MaxValue >> (32 - (8 * width))), (uint)await pci.InAsync(IoBarVariant.IoBar, 8, width), "a port of the I/O BAR");
            }

            await machine.Qmp.ExecuteAsync("device_del", new JsonObject { ["id"] = "plugged" });
            await machine.CommandAsync("outl 0xae10 0x0");
            await machine.CommandAsync($"outl 0xae08 0x{1 << Slot:x}");
            await machine.Qmp.EventAsync("DEVICE_DELETED");
            Expect.Equal(uint.MaxValue, await pci.ReadConfigAsync(0), "the slot after the device was unplugged");
        }
    }

    private async Task HotPlugNobody()
    {
        await using var machine = await QemuMachine.StartAsync(sandbox, "-M", "pc", "-m", "64M");
        var client = new JsonObject
        {
            ["driver"] = "vfio-user-pci",
            ["socket"] = new JsonObject { ["type"] = "unix", ["path"] = sandbox.Inside(sandbox.NewSocket("nobody")) },
        };
        try
        {
            await machine.Qmp.ExecuteAsync("device_add", client);
        }
        catch (QmpException e)
        {
            Expect.True(e.Message.Contains("connect", StringComparison.OrdinalIgnoreCase), $"QEMU said '{e.Message}'");
            return;
        }

        throw new CheckFailedException("QEMU plugged a device that nobody serves");
    }
}

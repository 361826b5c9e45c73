using FsCheck;
using FsCheck.Fluent;
using Vfio.Core.Tests.Scripted;

namespace Vfio.Core.Tests.Config;

public sealed class ConfigAccessTests
{
    [Theory]
    [Trait("Trap", "10")]
    [InlineData(256, 255, 2)]
    [InlineData(256, 256, 1)]
    [InlineData(256, 0, 257)]
    [InlineData(4096, 4094, 4)]
    [InlineData(4096, 8192, 4)]
    public async Task An_access_over_the_end_fails_whole(int size, int offset, int count)
    {
        var function = new ScriptedFunction(new Hardware(size).Bytes);
        await using var device = await OpenDevice.Open(function);
        function.Writes.Clear();
        function.Reads.Clear();

        Assert.Equal(Errno.EFAULT, device.Read(RegionIndex.Config, (ulong)offset, new byte[count]).Error);
        Assert.Equal(Errno.EFAULT, device.Write(RegionIndex.Config, (ulong)offset, new byte[count]).Error);
        Assert.Equal(Errno.EFAULT, device.Read(RegionIndex.Config, ulong.MaxValue, new byte[count]).Error);
        Assert.Empty(function.Writes);
        Assert.Empty(function.Reads);
    }

    [Fact]
    public async Task A_request_becomes_aligned_accesses_inside_capabilities()
    {
        var hardware = new Hardware(256);
        var at = hardware.Standard(0x09, 6, (2, 1, 6));
        var function = new ScriptedFunction(hardware.Bytes);
        await using var device = await OpenDevice.Open(function);
        function.Writes.Clear();

        device.Write(RegionIndex.Config, (ulong)at + 3, new byte[7]);
        Assert.Equal([(at + 3, 1), (at + 4, 2), (at + 6, 2), (at + 8, 2)], function.Writes.Select(w => (w.Offset, w.Width)));
    }

    [Fact]
    [Trait("Trap", "1")]
    public async Task Status_bits_that_a_write_clears_are_out_of_a_clients_reach()
    {
        var function = new ScriptedFunction(new Hardware(256).Bytes);
        await using var device = await OpenDevice.Open(function);
        function.Writes.Clear();

        device.WriteConfig(6, 2, 0xFFFF);
        Assert.Empty(function.Writes);
    }

    [Fact]
    public async Task A_VF_shows_the_identity_that_software_gives_it()
    {
        var hardware = new Hardware();
        hardware.Set32(0, 0xFFFFFFFF);
        hardware.Set16(4, 0);
        await using var device = await OpenDevice.Open(new(hardware.Bytes) { VirtualFunctionIndex = 0, Id = new(0x1B36, 0x0010, 0, 0, 0, 0) });

        Assert.Equal(0x00101B36u, device.ReadConfig(0));
        Assert.Equal(0u, device.ReadConfig(0x3D, 1));
        Assert.Equal(2u, device.ReadConfig(4, 2) & 2);
    }

    [Fact]
    public async Task Bytes_without_a_trap_are_as_a_bytewise_model_has_them()
    {
        // The places where a write sets something off have tests of their own.
        static bool IsPlain(int at) => at is not (>= 4 and < 8 or >= 0x10 and < 0x28 or >= 0x30 and < 0x34);
        var hardware = new Hardware(256);
        new Random(1).NextBytes(hardware.Bytes.AsSpan(0x40));
        var vendor = hardware.Standard(0x09, 7, (2, 1, 7));
        hardware.Standard(0x11, 12);
        hardware.Standard(0x0D, 8);
        hardware.Standard(0x08, 28);
        var function = new ScriptedFunction(hardware.Bytes) { Notes = false };
        await using var device = await OpenDevice.Open(function);
        Assert.Equal(0x40, vendor);

        var model = new byte[256];
        device.Read(RegionIndex.Config, 0, model);
        // What a client may change, byte by byte, by trying it on another device of the same kind.
        var mask = new byte[256];
        await using (var probe = await OpenDevice.Open(new(hardware.Bytes)))
        {
            for (var i = 0; i < mask.Length; i++)
            {
                if (!IsPlain(i))
                    continue;
                probe.WriteConfig(i, 1, 0xFF);
                mask[i] = (byte)probe.ReadConfig(i, 1);
                probe.WriteConfig(i, 1, 0);
                mask[i] ^= (byte)probe.ReadConfig(i, 1);
            }
        }

        var access = from write in ArbMap.Default.GeneratorFor<bool>()
                     from offset in Gen.Choose(0, 255)
                     from count in Gen.Choose(1, Math.Min(12, 256 - offset))
                     from bytes in ArbMap.Default.GeneratorFor<byte>().ArrayOf(count)
                     where Enumerable.Range(offset, count).All(IsPlain)
                     select (write, offset, bytes);
        var property = Prop.ForAll(access.ListOf(20).ToArbitrary(), accesses =>
        {
            foreach (var (write, offset, bytes) in accesses)
            {
                if (write)
                {
                    Assert.Equal(bytes.Length, device.Write(RegionIndex.Config, (ulong)offset, bytes).Value);
                    for (var i = 0; i < bytes.Length; i++)
                        model[offset + i] = (byte)((model[offset + i] & ~mask[offset + i]) | (bytes[i] & mask[offset + i]));
                }

                var read = new byte[bytes.Length];
                Assert.Equal(read.Length, device.Read(RegionIndex.Config, (ulong)offset, read).Value);
                Assert.Equal(model[offset..(offset + read.Length)], read);
            }
        });
        Check.One(FsCheck.Config.QuickThrowOnFailure.WithMaxTest(200), property);
    }

    [Fact]
    public async Task Reads_and_writes_allocate_nothing()
    {
        var hardware = new Hardware();
        hardware.Express();
        var function = new ScriptedFunction(hardware.Bytes) { Notes = false };
        function.Bars[0] = new ScriptedBar(4096) { Notes = false };
        await using var device = await OpenDevice.Open(function);

        Assert.Equal(0, Allocated(device));
    }

    private static long Allocated(OpenDevice device)
    {
        Span<byte> bytes = stackalloc byte[64];
        long before = 0;
        // The first rounds are for the JIT.
        for (var i = 0; i < 200; i++)
        {
            if (i == 100)
                before = GC.GetAllocatedBytesForCurrentThread();
            device.Read(RegionIndex.Config, 1, bytes);
            device.Write(RegionIndex.Config, 0x0C, bytes[..2]);
            device.Write(RegionIndex.Config, 0x3C, bytes[..1]);
            device.Write(RegionIndex.Config, 0x80, bytes);
            device.Write(RegionIndex.Config, 0x10, bytes[..4]);
            device.Read(RegionIndex.Bar0, 3, bytes);
            device.Write(RegionIndex.Bar0, 8, bytes[..8]);
        }

        return GC.GetAllocatedBytesForCurrentThread() - before;
    }
}

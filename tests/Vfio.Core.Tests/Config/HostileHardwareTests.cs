using Vfio.Core.Tests.Scripted;

namespace Vfio.Core.Tests.Config;

/// <summary>
/// Configuration spaces that no hardware should have: whatever the chains say, the device opens, and every byte of it can be read and
/// written.
/// </summary>
public sealed class HostileHardwareTests
{
    [Theory]
    [InlineData(1, 256)]
    [InlineData(2, 4096)]
    [InlineData(3, 4096)]
    public async Task Random_chains_are_survived(int seed, int size)
    {
        byte[] standard = [0x01, 0x02, 0x05, 0x07, 0x08, 0x09, 0x10, 0x11, 0x12, 0x13, 0x0D];
        byte[] extended = [0x01, 0x02, 0x03, 0x04, 0x08, 0x0B, 0x0D, 0x0E, 0x0F, 0x10, 0x12, 0x13, 0x15, 0x16, 0x17, 0x18, 0x23, 0x1E];
        var random = new Random(seed);
        for (var round = 0; round < 150; round++)
        {
            var bytes = new Hardware(size).Bytes;
            random.NextBytes(bytes.AsSpan(0x10, size - 0x10));
            bytes[6] |= 0x10;
            for (var at = 0x40; at < 0x100; at += 4)
                bytes[at] = standard[random.Next(standard.Length)];
            for (var at = 0x100; at < size; at += 4)
                (bytes[at], bytes[at + 1]) = (extended[random.Next(extended.Length)], 0);
            var function = new ScriptedFunction(bytes) { VirtualFunctionIndex = random.Next(3) == 0 ? 0 : -1, Notes = false };
            function.Bars[0] = new ScriptedBar(4096, BarKind.Memory64);
            await using var device = await OpenDevice.Open(function);
            for (var at = 0; at < size; at += 4)
                device.ReadConfig(at);
            for (var i = 0; i < 100; i++)
            {
                var at = random.Next(size);
                var count = Math.Min(random.Next(1, 9), size - at);
                var data = new byte[count];
                random.NextBytes(data);
                Assert.Equal(count, device.Write(RegionIndex.Config, (ulong)at, data).Value);
                device.Write(RegionIndex.Bar0, (ulong)random.Next(4096), data);
                device.Read(RegionIndex.Bar0, (ulong)random.Next(4096), data);
            }
        }
    }
}

using System.Buffers.Binary;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace Vfio.Plugin.Nvme.Tests;

public sealed class DeviceTests
{
    private const ulong AllBits = ulong.MaxValue;
    private readonly FakeCore _core = new(0);
    private readonly NvmeVfDevice _device;

    public DeviceTests() => _device = new(_core, null, NullLogger.Instance);

    [Fact]
    public void CAP_NSSRS_is_hidden_and_nothing_else_of_CAP()
    {
        BinaryPrimitives.WriteUInt64LittleEndian(_core.Bar0, AllBits);
        var cap = new byte[8];
        Assert.Equal(8, _device.Read(0, 0, cap).Value);
        Assert.Equal(AllBits & ~(1ul << 36), BinaryPrimitives.ReadUInt64LittleEndian(cap));
    }

    [Theory]
    [InlineData(4, 4, 0, 0xEF)]
    [InlineData(4, 1, 0, 0xEF)]
    [InlineData(5, 1, 0, 0xFF)]
    [InlineData(0, 16, 4, 0xEF)]
    public void CAP_NSSRS_is_hidden_from_reads_of_any_offset_and_length(ulong offset, int length, int at, byte expected)
    {
        BinaryPrimitives.WriteUInt64LittleEndian(_core.Bar0, AllBits);
        var read = new byte[length];
        Assert.Equal(length, _device.Read(0, offset, read).Value);
        Assert.Equal(expected, read[at]);
    }

    [Fact]
    public void A_write_of_NSSR_is_dropped_and_answered_as_done()
    {
        Assert.Equal(4, _device.Write(0, 0x20, "NVMe"u8).Value);
        Assert.Empty(_core.Writes);
        Assert.Contains(new("subsystem resets dropped", "1"), _device.Describe());
    }

    [Fact]
    public void A_guest_that_goes_on_writing_NSSR_does_not_fill_the_log()
    {
        var log = new CountingLogger();
        var device = new NvmeVfDevice(_core, null, log);
        for (var i = 0; i < 100; i++)
            device.Write(0, 0x20, "NVMe"u8);
        Assert.Equal(1, log.Warnings);
        Assert.Contains(new("subsystem resets dropped", "100"), device.Describe());
    }

    private sealed class CountingLogger : ILogger
    {
        public int Warnings { get; private set; }

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(
            LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
            => Warnings += logLevel == LogLevel.Warning ? 1 : 0;
    }

    [Theory]
    [InlineData(0x1C, 4, new[] { 0x1C, 4 })]
    [InlineData(0x24, 4, new[] { 0x24, 4 })]
    [InlineData(0x20, 8, new[] { 0x24, 4 })]
    [InlineData(0x1C, 8, new[] { 0x1C, 4 })]
    [InlineData(0x1C, 12, new[] { 0x1C, 4, 0x24, 4 })]
    [InlineData(0x22, 1, new int[0])]
    [InlineData(0x23, 2, new[] { 0x24, 1 })]
    public void The_rest_of_a_write_around_NSSR_goes_through(ulong offset, int length, int[] reached)
    {
        Assert.Equal(length, _device.Write(0, offset, new byte[length]).Value);
        Assert.Equal(reached, _core.Writes.SelectMany(w => new[] { (int)w.Offset, w.Length }));
    }

    [Fact]
    public void A_write_of_NSSR_fails_like_any_other_while_memory_is_off()
    {
        _core.MemoryEnabled = false;
        Assert.Equal(Errno.EIO, _device.Write(0, 0x20, "NVMe"u8).Error);
    }

    [Fact]
    public void Writes_of_other_regions_are_not_touched()
    {
        Assert.Equal(4, _device.Write(RegionIndex.Config, 0x20, "NVMe"u8).Value);
        Assert.Equal([(0x20ul, 4)], _core.Writes);
    }

    [Fact]
    public void Registers_are_trapped_and_doorbells_stay_mappable()
    {
        _core.Info0 = _core.Info0 with { Flags = RegionFlags.Read | RegionFlags.Write | RegionFlags.Mmap };
        Assert.Equal([new RegionArea(0x1000, 0x2000)], _device.GetRegionInfo(0).Value.SparseAreas!);

        _core.Info0 = _core.Info0 with { SparseAreas = [new(0, 0x2000)] };
        Assert.Equal([new RegionArea(0x1000, 0x1000)], _device.GetRegionInfo(0).Value.SparseAreas!);
        _core.Areas = [new(0, 0x2000)];
        Assert.Equal([new RegionArea(0x1000, 0x1000)], _device.Map(0).Value.Areas);

        _core.Info0 = _core.Info0 with { SparseAreas = [new(0, 0x1000)] };
        Assert.Equal(RegionFlags.Read | RegionFlags.Write, _device.GetRegionInfo(0).Value.Flags);
        _core.Areas = [new(0, 0x1000)];
        Assert.Equal(Errno.EINVAL, _device.Map(0).Error);
    }

    [Fact]
    public async Task Every_reset_is_counted_with_its_cause()
    {
        await _device.OpenAsync(new() { Dma = new DmaSpace() }, TestContext.Current.CancellationToken);
        await _device.ResetAsync(ResetCause.PcieFlr, TestContext.Current.CancellationToken);
        await _device.ResetAsync(ResetCause.PcieFlr, TestContext.Current.CancellationToken);
        await _device.ResetAsync(ResetCause.DeviceReset, TestContext.Current.CancellationToken);
        Assert.Contains(new("resets", "DeviceReset 1, PcieFlr 2; last DeviceReset"), _device.Describe());
    }
}

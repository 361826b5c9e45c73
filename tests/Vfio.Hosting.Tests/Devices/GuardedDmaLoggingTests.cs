using Microsoft.Extensions.Logging.Abstractions;
using Vfio.Hosting.Devices;

namespace Vfio.Hosting.Tests;

public sealed class GuardedDmaLoggingTests
{
    private const ulong Page = 4096;
    private readonly FakeDevice _inner = new();

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public void A_device_whose_DMA_nobody_sees_has_no_log()
    {
        Assert.Null(Guard().DmaLogging);
        Assert.False(Guard().IsDmaMediated);
    }

    [Fact]
    public async Task A_device_whose_DMA_goes_through_its_space_is_logged_there_until_it_is_closed()
    {
        _inner.IsMediated = true;
        var device = Guard();
        Assert.True(device.IsDmaMediated);
        var space = new DmaSpace();
        Assert.True(space.Map(LocalMemory.Allocate(0, 65536)).IsSuccess);
        Assert.Equal(Errno.ENODEV, Start(device));
        Assert.True((await device.OpenAsync(new() { Dma = space }, Cancellation)).IsSuccess);
        Assert.Equal(Errno.None, Start(device));
        Assert.True(space.Write(0x3000, [1]).IsSuccess);
        var bits = new ulong[1];
        Assert.True(device.DmaLogging!.Report(0, 65536, Page, bits).IsSuccess);
        Assert.Equal(1ul << 3, bits[0]);

        // A reset is not the end of a log.
        Assert.True((await device.ResetAsync(ResetCause.DeviceReset, Cancellation)).IsSuccess);
        Assert.True(device.DmaLogging.Report(0, 65536, Page, bits).IsSuccess);
        await device.CloseAsync(ResetCause.ClientLost);
        Assert.Equal(Errno.EINVAL, device.DmaLogging.Report(0, 65536, Page, bits).Error);
        Assert.True((await device.OpenAsync(new() { Dma = space }, Cancellation)).IsSuccess);
        Assert.Equal(Errno.None, Start(device));
        await device.CloseAsync(ResetCause.Close);
    }

    [Fact]
    public async Task The_log_of_a_device_comes_first_and_is_stopped_before_the_device_is_closed()
    {
        var log = new OwnLog();
        _inner.Log = log;
        _inner.IsMediated = true;
        _inner.OnClose = () => log.StopsAtClose = log.Stops;
        var device = Guard();
        Assert.True((await device.OpenAsync(new() { Dma = new DmaSpace() }, Cancellation)).IsSuccess);
        Assert.Equal(Errno.None, Start(device));
        Assert.Equal(1, log.Starts);
        Assert.Equal(Errno.EINVAL, Start(device));
        await device.CloseAsync(ResetCause.ClientLost);
        Assert.Equal((1, 1), (log.Starts, log.StopsAtClose));
        await device.CloseAsync(ResetCause.ClientLost);
        Assert.Equal(1, log.Stops);
    }

    [Fact]
    public async Task A_log_that_throws_breaks_its_device()
    {
        _inner.Log = new OwnLog { Throws = true };
        var device = Guard();
        Assert.True((await device.OpenAsync(new() { Dma = new DmaSpace() }, Cancellation)).IsSuccess);
        Assert.Equal(Errno.None, Start(device));
        Assert.Equal(Errno.EIO, device.DmaLogging!.Report(0, Page, Page, new ulong[1]).Error);
        Assert.Contains("DmaLogging.Report threw", device.Fault, StringComparison.Ordinal);
        await device.CloseAsync(ResetCause.Close);
    }

    private static Errno Start(VfioDevice device)
    {
        var pageSize = Page;
        return device.DmaLogging!.Start([new(0, 65536)], ref pageSize).Error;
    }

    private GuardedDevice Guard()
        => new(_inner, null, "test", TimeSpan.FromSeconds(10), TimeProvider.System, NullLogger<GuardedDevice>.Instance);

    private sealed class OwnLog : IDmaLogging
    {
        public int Starts { get; private set; }

        public int Stops { get; private set; }

        public int StopsAtClose { get; set; }

        public bool Throws { get; init; }

        public VfioResult Start(ReadOnlySpan<IovaRange> ranges, ref ulong pageSize)
        {
            Starts++;
            return VfioResult.Success;
        }

        public VfioResult Stop()
        {
            Stops++;
            return VfioResult.Success;
        }

        public VfioResult Report(ulong iova, ulong length, ulong pageSize, Span<ulong> bitmap)
            => Throws ? throw new InvalidOperationException("lost") : VfioResult.Success;
    }
}

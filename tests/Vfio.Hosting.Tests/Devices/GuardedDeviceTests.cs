using Microsoft.Extensions.Logging.Abstractions;
using Vfio.Hosting.Devices;

namespace Vfio.Hosting.Tests;

public sealed class GuardedDeviceTests
{
    private readonly FakeDevice _inner = new();
    private readonly FakeCore _core = new();

    [Fact]
    public void A_device_that_works_is_passed_through()
    {
        var device = Guard();
        Assert.Equal(4, device.Read(0, 0, new byte[4]).Value);
        Assert.Equal(3, device.Write(0, 0, new byte[3]).Value);
        _inner.OnRead = _ => Errno.EINVAL;
        Assert.Equal(Errno.EINVAL, device.Read(0, 0, new byte[4]).Error);
        Assert.Null(device.Fault);
    }

    [Fact]
    public void What_throws_becomes_EIO_and_the_device_is_not_asked_again()
    {
        _inner.OnRead = _ => throw new InvalidOperationException("lost my\nmarbles");
        var device = Guard();

        Assert.Equal(Errno.EIO, device.Read(0, 0, new byte[4]).Error);
        Assert.Equal(Errno.EIO, device.Read(0, 0, new byte[4]).Error);
        Assert.Equal(Errno.EIO, device.Write(0, 0, new byte[4]).Error);
        Assert.Equal(1, _inner.Reads);
        Assert.Equal("driver test: Read threw InvalidOperationException: lost my", device.Fault);
        Assert.Equal(new("broken", device.Fault!), Assert.Single(device.Describe()));
    }

    [Theory]
    [InlineData(5)]
    [InlineData(-1)]
    [InlineData(int.MinValue)]
    public void A_count_that_the_buffer_cannot_hold_breaks_the_device(int count)
    {
        _inner.OnRead = _ => count;
        var device = Guard();
        Assert.Equal(Errno.EIO, device.Read(0, 0, new byte[4]).Error);
        Assert.Equal($"driver test: Read of 4 bytes answered {count}", device.Fault);
    }

    [Fact]
    public void A_write_that_claims_more_than_it_was_given_breaks_the_device()
    {
        _inner.OnWrite = length => length + 1;
        var device = Guard();
        Assert.Equal(Errno.EIO, device.Write(0, 0, new byte[4]).Error);
        Assert.NotNull(device.Fault);
    }

    [Fact]
    public void Regions_are_checked_before_anybody_maps_by_them()
    {
        _inner.OnRegionInfo = () => new RegionInfo { Size = 0x2000, Flags = RegionFlags.Mmap, SparseAreas = [new(0x1000, ulong.MaxValue)] };
        var device = Guard();
        Assert.Equal(Errno.EIO, device.GetRegionInfo(0).Error);
        Assert.Contains("outside its 8192 bytes", device.Fault, StringComparison.Ordinal);
    }

    [Fact]
    public void A_mapping_without_a_file_breaks_the_device()
    {
        _inner.OnMap = () => new VfioResult<RegionMapping>((RegionMapping)null!);
        var device = Guard();
        Assert.Equal(Errno.EIO, device.Map(0).Error);
        Assert.NotNull(device.Fault);
    }

    [Theory]
    [InlineData(-1, 5)]
    [InlineData(9, -1)]
    [InlineData(int.MaxValue, 5)]
    public void Counts_that_no_device_has_break_it(int regions, int irqs)
    {
        _inner.OnInfo = () => new(DeviceFlags.Pci, regions, irqs);
        var device = Guard();
        Assert.Equal(0, device.Info.RegionCount);
        Assert.NotNull(device.Fault);
    }

    [Fact]
    public void The_descriptors_of_an_irq_request_that_throws_are_not_lost()
    {
        _inner.OnSetIrqs = () => throw new InvalidOperationException("no");
        var device = Guard();
        using var fd = File.OpenHandle("/dev/null");
        Assert.Equal(Errno.EIO, device.SetIrqs(new() { EventFds = new Microsoft.Win32.SafeHandles.SafeFileHandle?[] { fd } }).Error);
        Assert.True(fd.IsClosed);
    }

    [Fact]
    public async Task A_broken_device_does_not_open_and_its_function_is_quiesced_when_it_is_closed()
    {
        _inner.OnRead = _ => throw new InvalidOperationException("no");
        _inner.OnClose = () => throw new InvalidOperationException("not that either");
        var device = Guard();
        Assert.Equal(VfioResult.Success, await device.OpenAsync(new() { Dma = new DmaSpace() }, TestContext.Current.CancellationToken));
        _ = device.Read(0, 0, new byte[1]);
        Assert.Empty(_core.Closed);

        await device.CloseAsync(ResetCause.ClientLost);
        Assert.Equal([ResetCause.ClientLost], _core.Closed);
        Assert.Equal(Errno.EIO, (await device.OpenAsync(new() { Dma = new DmaSpace() }, TestContext.Current.CancellationToken)).Error);
    }

    [Fact]
    public async Task The_core_is_left_to_a_driver_that_closes_by_itself()
    {
        var device = Guard();
        await device.CloseAsync(ResetCause.Close);
        Assert.Empty(_core.Closed);
    }

    [Fact]
    public async Task A_reset_that_never_returns_is_given_up_and_breaks_the_device()
    {
        var forever = new TaskCompletionSource<VfioResult>();
        _inner.OnReset = _ => forever.Task;
        var device = Guard(TimeSpan.FromMilliseconds(50));
        Assert.Equal(Errno.EIO, (await device.ResetAsync(ResetCause.DeviceReset, TestContext.Current.CancellationToken)).Error);
        Assert.Contains("ResetAsync did not answer within", device.Fault, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_caller_who_gives_up_does_not_break_a_device_that_heeds_it()
    {
        _inner.OnReset = async token =>
        {
            await Task.Delay(Timeout.Infinite, token);
            return VfioResult.Success;
        };
        var device = Guard();
        using var giveUp = new CancellationTokenSource();
        var reset = device.ResetAsync(ResetCause.DeviceReset, giveUp.Token).AsTask();
        await giveUp.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => reset);
        Assert.Null(device.Fault);
    }

    [Fact]
    public async Task Capabilities_that_are_absent_stay_absent_and_those_that_throw_answer_EIO()
    {
        Assert.Null(Guard().Migration);
        _inner.Inner = new ThrowingMigration();
        var device = Guard();
        Assert.NotNull(device.Migration);
        Assert.Equal(Errno.EIO, (await device.MigrationOps!.GetDataSizeAsync(TestContext.Current.CancellationToken)).Error);
        Assert.Contains("StopCopySize threw", device.Fault, StringComparison.Ordinal);
    }

    [Fact]
    public void Describe_that_throws_is_a_row_and_no_exception()
    {
        _inner.OnDescribe = () => throw new InvalidOperationException("speechless");
        Assert.Contains("speechless", Assert.Single(Guard().Describe()).Value, StringComparison.Ordinal);
    }

    [Fact]
    public void Reads_and_writes_allocate_nothing()
    {
        var device = Guard();
        var buffer = new byte[8];
        Use(device, buffer, 1000);
        var before = GC.GetAllocatedBytesForCurrentThread();
        Use(device, buffer, 10_000);
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);

        static void Use(GuardedDevice device, byte[] buffer, int times)
        {
            for (var i = 0; i < times; i++)
            {
                _ = device.Read(0, 0, buffer);
                _ = device.Write(0, 0, buffer);
            }
        }
    }

    private GuardedDevice Guard(TimeSpan? limit = null)
        => new(_inner, _core, "test", limit ?? TimeSpan.FromSeconds(30), TimeProvider.System, NullLogger.Instance);

    private sealed class ThrowingMigration : IMigration
    {
        public MigrationCapabilities Capabilities => MigrationCapabilities.StopCopy;

        public ulong StopCopySize => throw new InvalidOperationException("who knows");

        public ValueTask<VfioResult> StepAsync(MigrationArc arc, MigrationSession? session, CancellationToken cancellationToken)
            => throw new InvalidOperationException("no");

        public ValueTask<VfioResult> SaveAsync(MigrationSession session, MigrationState phase, CancellationToken cancellationToken)
            => throw new InvalidOperationException("no");

        public ValueTask<VfioResult> LoadAsync(MigrationSession session, CancellationToken cancellationToken)
            => throw new InvalidOperationException("no");
    }
}

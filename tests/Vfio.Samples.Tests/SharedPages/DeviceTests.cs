using System.Security.Cryptography;
using SharedPages;
using Vfio.Hosting.Tests;
using Vfio.Native;
using Vfio.Samples.Tests.Peers;

namespace Vfio.Samples.Tests.SharedPages;

public sealed class DeviceTests
{
    private const int Pages = 0x3000;
    private readonly ManualTime _clock = new();

    [Fact]
    public async Task The_alarm_goes_off_once_and_clears_itself()
    {
        await using var sample = await OpenSample.StartAsync(new SharedPagesDevice(_clock));
        using var interrupt = EventFd.Create();
        sample.SetIntx(IrqSetFlags.DataEventFd | IrqSetFlags.ActionTrigger, EventFd.Duplicate(interrupt));
        sample.Write(0, 0, Time(2));
        _clock.Advance(TimeSpan.FromSeconds(1.9));
        Interrupts.AssertSilent(interrupt);
        _clock.Advance(TimeSpan.FromSeconds(0.1));
        Interrupts.AssertComes(interrupt);
        Assert.Equal(new byte[8], sample.Read(0, 0, 8));
    }

    [Fact]
    public async Task A_time_beyond_any_timer_is_waited_for()
    {
        await using var sample = await OpenSample.StartAsync(new SharedPagesDevice(_clock));
        using var interrupt = EventFd.Create();
        sample.SetIntx(IrqSetFlags.DataEventFd | IrqSetFlags.ActionTrigger, EventFd.Duplicate(interrupt));
        sample.Write(0, 0, BitConverter.GetBytes(long.MaxValue));
        _clock.Advance(TimeSpan.FromDays(100));
        Interrupts.AssertSilent(interrupt);
        sample.Write(0, 0, BitConverter.GetBytes(long.MinValue));
        _clock.Advance(TimeSpan.Zero);
        Interrupts.AssertComes(interrupt);
    }

    [Fact]
    public async Task The_interrupt_is_a_level_that_a_write_of_the_time_takes_back()
    {
        await using var sample = await OpenSample.StartAsync(new SharedPagesDevice(_clock));
        using var interrupt = EventFd.Create();
        sample.SetIntx(IrqSetFlags.DataEventFd | IrqSetFlags.ActionTrigger, EventFd.Duplicate(interrupt));
        sample.Write(0, 0, Time(0));
        _clock.Advance(TimeSpan.Zero);
        Interrupts.AssertComes(interrupt);
        sample.SetIntx(IrqSetFlags.DataNone | IrqSetFlags.ActionUnmask);
        Interrupts.AssertComes(interrupt);
        sample.Write(0, 0, new byte[8]);
        sample.SetIntx(IrqSetFlags.DataNone | IrqSetFlags.ActionUnmask);
        Interrupts.AssertSilent(interrupt);
    }

    [Theory]
    [InlineData(1ul, 7)]
    [InlineData(0ul, 4)]
    [InlineData(4ul, 4)]
    public async Task The_time_is_one_register_of_eight_bytes(ulong offset, int count)
    {
        await using var sample = await OpenSample.StartAsync(new SharedPagesDevice(_clock));
        Assert.Equal(Errno.EINVAL, sample.Device.Read(0, offset, new byte[count]).Error);
        Assert.Equal(Errno.EINVAL, sample.Device.Write(0, offset, new byte[count]).Error);
    }

    [Fact]
    public async Task Dma_reaches_the_first_two_ranges_in_the_order_of_their_mapping()
    {
        var memory = new DmaSpace();
        var (second, first) = (LocalMemory.Allocate(0x10000, 0x1000), LocalMemory.Allocate(0x20000, 0x1000));
        Assert.True(memory.Map(first).IsSuccess);
        Assert.True(memory.Map(second).IsSuccess);
        await using var sample = await OpenSample.StartAsync(new SharedPagesDevice(_clock), memory);
        var ranges = new[] { new IovaRange(0x10000, 0x1000), new IovaRange(0x20000, 0x1000) };
        var pageSize = 4096ul;
        Assert.True(sample.Device.DmaLogging!.Start(ranges, ref pageSize).IsSuccess);
        sample.Write(0, 0, Time(0));
        _clock.Advance(TimeSpan.Zero);
        // STOP waits for what the alarm does.
        Assert.True((await sample.Device.MigrationOps!.SetStateAsync(MigrationState.Stop, CancellationToken.None)).IsSuccess);
        Assert.Equal((byte)'A', first.Span[0]);
        Assert.Equal((byte)'D', second.Span[^1]);
        var bitmap = new ulong[1];
        Assert.True(sample.Device.DmaLogging.Report(0x10000, 0x11000, 4096, bitmap).IsSuccess);
        Assert.Equal(0x10001ul, bitmap[0]);
    }

    [Fact]
    public async Task A_reset_forgets_the_pages_and_the_alarm()
    {
        await using var sample = await OpenSample.StartAsync(new SharedPagesDevice(_clock));
        using var interrupt = EventFd.Create();
        sample.SetIntx(IrqSetFlags.DataEventFd | IrqSetFlags.ActionTrigger, EventFd.Duplicate(interrupt));
        sample.Write(1, 0x1000, 1, 2, 3);
        sample.Write(0, 0, Time(1));
        Assert.True((await sample.Device.ResetAsync(ResetCause.DeviceReset, CancellationToken.None)).IsSuccess);
        _clock.Advance(TimeSpan.FromSeconds(2));
        Interrupts.AssertSilent(interrupt);
        Assert.Equal(new byte[Pages], sample.Read(1, 0, Pages));
        Assert.Equal(new byte[8], sample.Read(0, 0, 8));
    }

    [Fact]
    public async Task Precopy_yields_the_pages_and_stop_copy_the_pages_and_the_time()
    {
        await using var sample = await OpenSample.StartAsync(new SharedPagesDevice(_clock));
        var early = RandomNumberGenerator.GetBytes(Pages);
        sample.Write(1, 0, early);
        var time = Time(5);
        sample.Write(0, 0, time);
        var ops = sample.Device.MigrationOps!;
        await using var stream = (await ops.SetStateAsync(MigrationState.PreCopy, CancellationToken.None)).Value!;
        Assert.Equal(new PrecopyInfo(Pages, 0), (await stream.GetPrecopyInfoAsync(CancellationToken.None)).Value);
        Assert.Equal(early, await Migrations.ReadToEndAsync(stream));
        Assert.Equal(new PrecopyInfo(0, 0), (await stream.GetPrecopyInfoAsync(CancellationToken.None)).Value);
        var late = RandomNumberGenerator.GetBytes(Pages);
        sample.Write(1, 0, late);
        await using var rest = (await ops.SetStateAsync(MigrationState.StopCopy, CancellationToken.None)).Value;
        var last = await Migrations.ReadToEndAsync(rest ?? stream);
        Assert.Equal([.. late, .. time], last);
        Assert.Equal((ulong)Pages + 8, (await ops.GetDataSizeAsync(CancellationToken.None)).Value);
    }

    [Theory]
    [InlineData(0, 1)]
    [InlineData(1, 7)]
    [InlineData(3, 0x3008)]
    public async Task A_stream_is_the_pages_as_often_as_they_were_copied_and_a_time(int copies, int pieces)
    {
        await using var sample = await OpenSample.StartAsync(new SharedPagesDevice(_clock));
        var (early, pages, time) = (RandomNumberGenerator.GetBytes(copies * Pages), RandomNumberGenerator.GetBytes(Pages), Time(3));
        Assert.True((await Migrations.LoadAsync(sample.Device, [.. early, .. pages, .. time], pieces)).IsSuccess);
        Assert.Equal(pages, sample.Read(1, 0, Pages));
        Assert.Equal(time, sample.Read(0, 0, 8));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(7)]
    [InlineData(Pages)]
    [InlineData(Pages + 7)]
    [InlineData(Pages + 9)]
    [InlineData((2 * Pages) + 7)]
    public async Task A_stream_of_any_other_length_changes_nothing(int length)
    {
        await using var sample = await OpenSample.StartAsync(new SharedPagesDevice(_clock));
        sample.Write(1, 0, 42);
        Assert.Equal(Errno.EINVAL, (await Migrations.LoadAsync(sample.Device, new byte[length], 1000)).Error);
        Assert.Equal(42, sample.Read(1, 0, 1)[0]);
    }

    [Fact]
    public async Task A_time_that_passes_on_the_way_goes_off_at_the_destination()
    {
        await using var source = await OpenSample.StartAsync(new SharedPagesDevice(_clock));
        await using var destination = await OpenSample.StartAsync(new SharedPagesDevice(_clock));
        using var there = EventFd.Create();
        using var here = EventFd.Create();
        source.SetIntx(IrqSetFlags.DataEventFd | IrqSetFlags.ActionTrigger, EventFd.Duplicate(here));
        destination.SetIntx(IrqSetFlags.DataEventFd | IrqSetFlags.ActionTrigger, EventFd.Duplicate(there));
        source.Write(0, 0, Time(1));
        var state = await Migrations.SaveAsync(source.Device);
        _clock.Advance(TimeSpan.FromSeconds(30));
        Interrupts.AssertSilent(here);
        Assert.True((await Migrations.LoadAsync(destination.Device, state, 4096)).IsSuccess);
        _clock.Advance(TimeSpan.Zero);
        Interrupts.AssertComes(there);
    }

    private byte[] Time(int seconds) => BitConverter.GetBytes(_clock.GetUtcNow().ToUnixTimeSeconds() + seconds);
}

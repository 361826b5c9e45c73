using System.Collections.Concurrent;
using Microsoft.Win32.SafeHandles;
using Vfio.Core.Tests.Interrupts;
using Vfio.Core.Tests.Scripted;
using Vfio.Native;

namespace Vfio.Core.Tests.Regions;

public sealed class IoEventFdTests : IDisposable
{
    private static readonly TimeSpan Soon = TimeSpan.FromSeconds(30);
    private readonly SafeFileHandle _client = EventFd.Create();
    private readonly BlockingCollection<(ulong Offset, int Width)> _accesses = [];
    private readonly ScriptedBar _bar = new(0x1000);
    private readonly ScriptedFunction _function;

    public IoEventFdTests()
    {
        var hardware = new Hardware();
        hardware.Express();
        hardware.Msix(4, 0, 0xF00);
        hardware.Set32(0x40 + 0x34 + 4, 0x800);
        _function = new(hardware.Bytes) { Bars = { [0] = _bar, [2] = new(0x100, BarKind.Io) } };
        _function.Lines.Msix = 4;
        _bar.OnAccess = (offset, width) => _accesses.Add((offset, width));
        _function.Bars[2].OnAccess = (offset, width) => _accesses.Add((offset, width));
    }

    public void Dispose()
    {
        _client.Dispose();
        _accesses.Dispose();
    }

    [Theory]
    [Trait("Trap", "19")]
    [InlineData(1, 0x11u)]
    [InlineData(2, 0x2211u)]
    [InlineData(4, 0x44332211u)]
    public async Task Each_signal_makes_one_write_of_its_width(int width, uint expected)
    {
        await using var device = await OpenDevice.Open(_function);
        Assert.Equal(Errno.None, Set(device, 0, 0x20, width, _client));

        EventFd.Signal(_client);
        Assert.Equal((0x20ul, width), Next());
        EventFd.Signal(_client);
        Assert.Equal((0x20ul, width), Next());
        Assert.Equal(expected, BitConverter.ToUInt32(_bar.Memory, 0x20));
        Assert.Empty(_accesses);
    }

    [Fact]
    [Trait("Trap", "19")]
    public async Task Places_that_no_ioeventfd_can_have_are_EINVAL()
    {
        await using var device = await OpenDevice.Open(_function);

        foreach (var (region, offset, width) in new (int, ulong, int)[]
        {
            (0, 0, 8), (0, 0, 3), (0, 0, 0), (0, 0, -1), (0, 0, 16),
            (0, 0xFFD, 4), (0, 0x1000, 1), (0, ulong.MaxValue, 1), (0, ulong.MaxValue - 1, 2), (0, 1ul << 40, 4),
            (0, 0x800, 4), (0, 0x83F, 1), (0, 0x7FD, 4), (0, 0x7FF, 2),
            (1, 0, 4), (6, 0, 4), (7, 0, 4), (8, 0, 4), (9, 0, 4), (-1, 0, 4), (int.MaxValue, 0, 4), (2, 0xFD, 4),
        })
        {
            Assert.Equal(Errno.EINVAL, Set(device, region, offset, width, _client));
            Assert.Equal(Errno.EINVAL, Set(device, region, offset, width, null));
        }

        // Right up to the edges of the BAR and of the MSI-X table, and its pending bits.
        foreach (var (offset, width) in new[] { (0xFFCul, 4), (0xFFFul, 1), (0x7FCul, 4), (0x840ul, 4), (0xF00ul, 4) })
            Assert.Equal(Errno.None, Set(device, 0, offset, width, _client));
    }

    [Fact]
    public async Task One_is_known_by_its_region_offset_width_and_data()
    {
        await using var device = await OpenDevice.Open(_function);
        Assert.Equal(Errno.ENODEV, Set(device, 0, 0x20, 4, null));
        Assert.Equal(Errno.None, Set(device, 0, 0x20, 4, _client));

        Assert.Equal(Errno.EEXIST, Set(device, 0, 0x20, 4, _client));
        using var closed = new SafeFileHandle(-1, ownsHandle: false);
        Assert.Equal(Errno.EEXIST, Set(device, 0, 0x20, 4, closed));
        Assert.Equal(Errno.None, Set(device, 0, 0x20, 2, _client));
        Assert.Equal(Errno.None, Set(device, 0, 0x24, 4, _client));
        Assert.Equal(Errno.None, Set(device, 2, 0x20, 4, _client));
        // The data counts as a whole, also where the width cuts it.
        Assert.Equal(Errno.None, device.SetIoEventFd(0, 0x20, 4, 1ul << 32, _client).Error);
        Assert.Equal(Errno.None, device.SetIoEventFd(0, 0x20, 4, 2ul << 32, _client).Error);

        Assert.Equal(Errno.None, Set(device, 0, 0x20, 4, null));
        Assert.Equal(Errno.ENODEV, Set(device, 0, 0x20, 4, null));
        Assert.Equal(Errno.None, Set(device, 0, 0x20, 4, _client));
    }

    [Fact]
    public async Task A_descriptor_that_is_no_eventfd_is_refused_and_the_callers_stays_open()
    {
        await using var device = await OpenDevice.Open(_function);
        using var closed = EventFd.Create();
        closed.Dispose();
        using var file = File.OpenHandle("/dev/null", FileMode.Open, FileAccess.ReadWrite);

        Assert.Equal(Errno.EBADF, Set(device, 0, 0, 4, closed));
        Assert.Equal(Errno.EINVAL, Set(device, 0, 0, 4, file));
        using var given = Requests.Duplicate(_client);
        Assert.Equal(Errno.None, Set(device, 0, 0, 4, given));
        Assert.False(given.IsClosed);
        given.Dispose();
        EventFd.Signal(_client);
        Assert.Equal((0ul, 4), Next());
    }

    [Fact]
    public async Task There_are_a_thousand_at_most()
    {
        await using var device = await OpenDevice.Open(_function);
        for (var i = 0; i < 1000; i++)
            Assert.Equal(Errno.None, device.SetIoEventFd(0, 0, 4, (ulong)i, _client).Error);

        Assert.Equal(Errno.ENOSPC, device.SetIoEventFd(0, 0, 4, 1000, _client).Error);
        Assert.Equal(Errno.EEXIST, device.SetIoEventFd(0, 0, 4, 999, _client).Error);
        Assert.Equal(Errno.None, device.SetIoEventFd(0, 0, 4, 0, null).Error);
        Assert.Equal(Errno.None, device.SetIoEventFd(0, 0, 4, 1000, _client).Error);
        // One eventfd, a thousand writes.
        EventFd.Signal(_client);
        for (var i = 0; i < 1000; i++)
            Assert.Equal((0ul, 4), Next());
    }

    [Fact]
    [Trait("Trap", "19")]
    public async Task A_misaligned_one_is_made_of_aligned_writes()
    {
        await using var device = await OpenDevice.Open(_function);
        Assert.Equal(Errno.None, Set(device, 0, 0x21, 4, _client));

        EventFd.Signal(_client);
        Assert.Equal([(0x21ul, 1), (0x22ul, 2), (0x24ul, 1)], new[] { Next(), Next(), Next() });
        Assert.Equal(0x44332211u, BitConverter.ToUInt32(_bar.Memory, 0x21));
    }

    [Fact]
    [Trait("Trap", "19")]
    public async Task Without_memory_decoding_a_signal_is_dropped_and_an_IO_BAR_takes_it_all_the_same()
    {
        await using var device = await OpenDevice.Open(_function);
        using var io = EventFd.Create();
        Assert.Equal(Errno.None, Set(device, 0, 0, 4, _client));
        Assert.Equal(Errno.None, Set(device, 2, 4, 1, io));
        device.WriteConfig(4, 2, 0);

        EventFd.Signal(_client);
        EventFd.Signal(io);
        Assert.Equal((4ul, 1), Next());
        // Both are served by one thread, in either order: the first has been consumed once a second turn is over.
        EventFd.Signal(io);
        Assert.Equal((4ul, 1), Next());
        device.WriteConfig(4, 2, 2);
        EventFd.Signal(io);
        Assert.Equal((4ul, 1), Next());
        Assert.Empty(_accesses);
        Assert.Equal(0ul, EventFd.Consume(_client));
    }

    [Fact]
    [Trait("Trap", "11")]
    public async Task They_survive_a_reset_and_a_signal_that_comes_during_one_is_made_after_it()
    {
        using var resetting = new SemaphoreSlim(0);
        var finish = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var device = await OpenDevice.Open(_function);
        Assert.Equal(Errno.None, Set(device, 0, 0, 4, _client));
        _function.OnReset = async (_, _) =>
        {
            resetting.Release();
            await finish.Task;
            return VfioResult.Success;
        };
        var reset = device.ResetAsync(ResetCause.DeviceReset, TestContext.Current.CancellationToken).AsTask();
        await resetting.WaitAsync(TestContext.Current.CancellationToken);

        // Another device's are not held up by it.
        var otherBar = new ScriptedBar(0x1000);
        using var otherWritten = new SemaphoreSlim(0);
        otherBar.OnAccess = (_, _) => otherWritten.Release();
        await using (var other = await OpenDevice.Open(new(new Hardware().Bytes) { Bars = { [0] = otherBar } }))
        {
            using var eventFd = EventFd.Create();
            Assert.Equal(Errno.None, Set(other, 0, 0, 4, eventFd));
            EventFd.Signal(_client);
            EventFd.Signal(eventFd);
            Assert.True(await otherWritten.WaitAsync(Soon, TestContext.Current.CancellationToken));
            EventFd.Signal(eventFd);
            Assert.True(await otherWritten.WaitAsync(Soon, TestContext.Current.CancellationToken));
        }

        Assert.Empty(_accesses);
        finish.SetResult();
        Assert.True((await reset).IsSuccess);
        Assert.Equal((0ul, 4), Next());
        EventFd.Signal(_client);
        Assert.Equal((0ul, 4), Next());
        Assert.Empty(_accesses);
    }

    [Fact]
    public async Task Signals_during_a_reset_never_add_up_to_none()
    {
        var finish = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var device = await OpenDevice.Open(_function);
        Assert.Equal(Errno.None, Set(device, 0, 0, 4, _client));
        _function.OnReset = async (_, _) =>
        {
            await finish.Task;
            return VfioResult.Success;
        };
        var reset = device.ResetAsync(ResetCause.DeviceReset, TestContext.Current.CancellationToken).AsTask();
        foreach (var count in new[] { 2ul, ulong.MaxValue - 1 })
        {
            RandomAccess.Write(_client, BitConverter.GetBytes(count), 0);
            await ServeAnother();
            Assert.Equal(0ul, EventFd.Consume(_client));
        }

        finish.SetResult();
        Assert.True((await reset).IsSuccess);
        Assert.Equal((0ul, 4), Next());
    }

    [Fact]
    public async Task Nothing_is_written_once_one_is_removed_or_the_device_is_closed()
    {
        var device = await OpenDevice.Open(_function);
        Assert.Equal(Errno.None, Set(device, 0, 0, 4, _client));
        Assert.Equal(Errno.None, Set(device, 0, 4, 4, _client));
        Assert.Equal(Errno.None, Set(device, 0, 0, 4, null));
        EventFd.Signal(_client);
        Assert.Equal((4ul, 4), Next());

        await device.CloseAsync(ResetCause.ClientLost);
        EventFd.Signal(_client);
        Assert.Equal(Errno.EINVAL, Set(device, 0, 0, 4, _client));
        // Nobody takes it any more.
        Assert.Equal(1ul, EventFd.Consume(_client));
        Assert.Empty(_accesses);

        await using var again = await OpenDevice.Open(_function);
        Assert.Equal(Errno.ENODEV, Set(again, 0, 4, 4, null));
    }

    [Fact]
    public async Task A_back_end_that_throws_costs_the_write_and_not_the_thread()
    {
        await using var device = await OpenDevice.Open(_function);
        using var second = EventFd.Create();
        using var thrown = new SemaphoreSlim(0);
        Assert.Equal(Errno.None, Set(device, 0, 0, 4, _client));
        Assert.Equal(Errno.None, Set(device, 2, 0, 4, second));
        _bar.OnAccess = (_, _) =>
        {
            thrown.Release();
            throw new InvalidOperationException("scripted");
        };

        EventFd.Signal(_client);
        Assert.True(await thrown.WaitAsync(Soon, TestContext.Current.CancellationToken));
        EventFd.Signal(second);
        Assert.Equal((0ul, 4), Next());
        EventFd.Signal(_client);
        Assert.True(await thrown.WaitAsync(Soon, TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task Closing_ends_them_and_nobody_takes_their_signals_any_more()
    {
        var device = await OpenDevice.Open(_function);
        Assert.Equal(Errno.None, Set(device, 0, 0x20, 4, _client));
        await device.CloseAsync(ResetCause.Close);

        EventFd.Signal(_client);
        await ServeAnother();
        Assert.Equal(1ul, EventFd.Consume(_client));
    }

    // One thread serves all in turns: what was signalled before has been seen once a second turn is over.
    private static async Task ServeAnother()
    {
        var bar = new ScriptedBar(0x1000);
        using var written = new SemaphoreSlim(0);
        bar.OnAccess = (_, _) => written.Release();
        await using var other = await OpenDevice.Open(new(new Hardware().Bytes) { Bars = { [0] = bar } });
        using var eventFd = EventFd.Create();
        Assert.Equal(Errno.None, Set(other, 0, 0, 4, eventFd));
        for (var turn = 0; turn < 2; turn++)
        {
            EventFd.Signal(eventFd);
            Assert.True(await written.WaitAsync(Soon, TestContext.Current.CancellationToken));
        }
    }

    private (ulong Offset, int Width) Next()
    {
        Assert.True(_accesses.TryTake(out var access, (int)Soon.TotalMilliseconds, TestContext.Current.CancellationToken));
        return access;
    }

    private static Errno Set(OpenDevice device, int region, ulong offset, int width, SafeFileHandle? eventFd)
        => device.SetIoEventFd(region, offset, width, 0x8877665544332211, eventFd).Error;
}

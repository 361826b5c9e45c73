using Microsoft.Win32.SafeHandles;
using Vfio.Core.Tests.Scripted;
using Vfio.Native;

namespace Vfio.Core.Tests.Interrupts;

public sealed class IntxTests : IDisposable
{
    private readonly SafeFileHandle _client = EventFd.Create();
    private readonly ScriptedFunction _function = new(new Hardware().Bytes);

    public void Dispose() => _client.Dispose();

    [Fact]
    [Trait("Trap", "27")]
    public async Task A_level_interrupt_fires_once_until_it_is_unmasked_and_again_if_it_is_still_asserted()
    {
        await using var device = await Enabled();

        _function.Lines.SetAsserted(true);
        Assert.Equal(1ul, EventFd.Consume(_client));
        _function.Lines.SetAsserted(false);
        _function.Lines.SetAsserted(true);
        Assert.Equal(0ul, EventFd.Consume(_client));

        Assert.Equal(0, device.None(IrqIndex.Intx, IrqSetFlags.ActionUnmask));
        Assert.Equal(1ul, EventFd.Consume(_client));
        _function.Lines.SetAsserted(false);
        Assert.Equal(0, device.None(IrqIndex.Intx, IrqSetFlags.ActionUnmask));
        Assert.Equal(0ul, EventFd.Consume(_client));
        _function.Lines.SetAsserted(true);
        Assert.Equal(1ul, EventFd.Consume(_client));
    }

    [Fact]
    public async Task A_line_that_is_asserted_when_it_is_enabled_fires()
    {
        await using var device = await OpenDevice.Open(_function);
        _function.Lines.SetAsserted(true);

        Assert.Equal(0, device.Trigger(IrqIndex.Intx, 0, Requests.Duplicate(_client)));
        Assert.Equal(1ul, EventFd.Consume(_client));
    }

    [Fact]
    public async Task A_masked_line_fires_when_it_is_unmasked()
    {
        await using var device = await Enabled();

        Assert.Equal(0, device.Bool(IrqIndex.Intx, IrqSetFlags.ActionMask, 0));
        Assert.Equal(0, device.Bool(IrqIndex.Intx, IrqSetFlags.ActionMask, 1));
        _function.Lines.SetAsserted(true);
        Assert.Equal(0ul, EventFd.Consume(_client));
        Assert.Equal(0, device.Bool(IrqIndex.Intx, IrqSetFlags.ActionUnmask, 0));
        Assert.Equal(0ul, EventFd.Consume(_client));
        Assert.Equal(0, device.Bool(IrqIndex.Intx, IrqSetFlags.ActionUnmask, 1));
        Assert.Equal(1ul, EventFd.Consume(_client));
    }

    [Fact]
    [Trait("Trap", "28")]
    public async Task An_eventfd_unmasks_and_fires_at_once_where_it_is_signalled_already()
    {
        await using var device = await Enabled();
        using var unmask = EventFd.Create();
        _function.Lines.SetAsserted(true);
        Assert.Equal(1ul, EventFd.Consume(_client));
        EventFd.Signal(unmask);

        Assert.Equal(0, device.Unmask(Requests.Duplicate(unmask)));
        Await(_client);
        Assert.Equal(-(int)Errno.EBUSY, device.Unmask(Requests.Duplicate(unmask)));

        EventFd.Signal(unmask);
        Await(_client);
        Assert.Equal(0ul, EventFd.Consume(unmask));
        Assert.Equal(0, device.Unmask(null));
        EventFd.Signal(unmask);
        Assert.Equal(0, device.Unmask(null));
        // Nobody takes it any more.
        Assert.Equal(1ul, EventFd.Consume(unmask));
        Assert.Equal(0ul, EventFd.Consume(_client));
    }

    [Fact]
    [Trait("Trap", "29")]
    public async Task Interrupt_disable_of_the_guest_masks_and_silences_the_loopback()
    {
        await using var device = await Enabled();

        device.WriteConfig(5, 1, 4);
        _function.Lines.SetAsserted(true);
        Assert.Equal(0, device.None(IrqIndex.Intx, IrqSetFlags.ActionTrigger));
        Assert.Equal(0, device.None(IrqIndex.Intx, IrqSetFlags.ActionUnmask));
        Assert.Equal(0ul, EventFd.Consume(_client));
        device.WriteConfig(5, 1, 0);
        Assert.Equal(1ul, EventFd.Consume(_client));
    }

    [Fact]
    [Trait("Trap", "29")]
    public async Task An_interrupt_enabled_while_the_guest_has_it_disabled_starts_masked()
    {
        await using var device = await OpenDevice.Open(_function);
        device.WriteConfig(5, 1, 4);
        Assert.Equal(0, device.Trigger(IrqIndex.Intx, 0, Requests.Duplicate(_client)));

        _function.Lines.SetAsserted(true);
        Assert.Equal(0ul, EventFd.Consume(_client));
        device.WriteConfig(5, 1, 0);
        Assert.Equal(1ul, EventFd.Consume(_client));
    }

    [Fact]
    [Trait("Trap", "26")]
    public async Task It_can_be_enabled_without_an_eventfd_and_be_given_one_later()
    {
        await using var device = await OpenDevice.Open(_function);

        Assert.Equal(0, device.Trigger(IrqIndex.Intx, 0, [null]));
        Assert.Equal(IrqIndex.Intx, device.Core.ActiveIrqIndex);
        Assert.Equal(0, device.None(IrqIndex.Intx, IrqSetFlags.ActionTrigger));
        Assert.Equal(0, device.Trigger(IrqIndex.Intx, 0, Requests.Duplicate(_client)));
        Assert.Equal(0, device.None(IrqIndex.Intx, IrqSetFlags.ActionTrigger));
        Assert.Equal(1ul, EventFd.Consume(_client));
    }

    [Fact]
    [Trait("Trap", "21")]
    public async Task A_function_without_a_working_pin_shows_none_or_fails_to_enable()
    {
        _function.Lines.Obtainable = 0;
        await using (var device = await OpenDevice.Open(_function))
        {
            Assert.Equal(-(int)Errno.ENODEV, device.Trigger(IrqIndex.Intx, 0, Requests.Duplicate(_client)));
            Assert.Null(device.Core.ActiveIrqIndex);
        }

        _function.Lines.Intx = 0;
        await using (var device = await OpenDevice.Open(_function))
        {
            Assert.Equal(0u, device.GetIrqInfo(0).Value.Count);
            Assert.Equal(0u, device.ReadConfig(0x3D, 1));
            Assert.Equal(-(int)Errno.EINVAL, device.Disable(IrqIndex.Intx));
        }
    }

    [Fact]
    [Trait("Trap", "28")]
    public async Task An_eventfd_that_cannot_unmask_is_refused_and_one_that_was_removed_makes_room()
    {
        await using var device = await Enabled();
        using var first = EventFd.Create();
        using var second = EventFd.Create();
        using var file = File.OpenHandle("/dev/null", FileMode.Open, FileAccess.ReadWrite);
        var closed = EventFd.Create();
        closed.Dispose();

        Assert.Equal(-(int)Errno.EBADF, device.Unmask(closed));
        Assert.Equal(-(int)Errno.EINVAL, device.Unmask(Requests.Duplicate(file)));
        Assert.Equal(0, device.Unmask(null));
        Assert.Equal(0, device.Unmask(Requests.Duplicate(first)));
        Assert.Equal(-(int)Errno.EINVAL, device.Unmask(Requests.Duplicate(file)));
        Assert.Equal(-(int)Errno.EBUSY, device.Unmask(Requests.Duplicate(second)));
        Assert.Equal(0, device.Unmask(null));
        Assert.Equal(0, device.Unmask(Requests.Duplicate(second)));
        _function.Lines.SetAsserted(true);
        Assert.Equal(1ul, EventFd.Consume(_client));
        EventFd.Signal(second);
        Await(_client);
        // It goes with the index.
        Assert.Equal(0, device.Disable(IrqIndex.Intx));
        EventFd.Signal(second);
        Assert.Equal(0, device.Trigger(IrqIndex.Intx, 0, [null]));
        Assert.Equal(0, device.Unmask(Requests.Duplicate(first)));
        Assert.Equal(1ul, EventFd.Consume(second));
    }

    [Fact]
    [Trait("Trap", "29")]
    public async Task An_eventfd_does_not_unmask_what_the_guest_has_disabled()
    {
        await using var device = await Enabled();
        using var unmask = EventFd.Create();
        Assert.Equal(0, device.Unmask(Requests.Duplicate(unmask)));
        device.WriteConfig(5, 1, 4);
        _function.Lines.SetAsserted(true);

        EventFd.Signal(unmask);
        // Removing waits for the thread that takes it.
        Assert.Equal(0, device.Unmask(null));
        Assert.Equal(0ul, EventFd.Consume(_client));
        device.WriteConfig(5, 1, 0);
        Assert.Equal(1ul, EventFd.Consume(_client));
    }

    [Fact]
    [Trait("Trap", "27")]
    public async Task A_trigger_that_was_replaced_is_signalled_no_more_while_interrupts_come()
    {
        var cancellation = TestContext.Current.CancellationToken;
        await using var device = await Enabled();
        using var done = new CancellationTokenSource();
        var firing = Task.Run(() =>
        {
            while (!done.IsCancellationRequested)
            {
                _function.Lines.SetAsserted(true);
                _function.Lines.SetAsserted(false);
            }
        }, cancellation);

        for (var i = 0; i < 500; i++)
        {
            using var mine = EventFd.Create();
            Assert.Equal(0, device.Trigger(IrqIndex.Intx, 0, Requests.Duplicate(mine)));
            device.None(IrqIndex.Intx, IrqSetFlags.ActionUnmask);
            Assert.Equal(0, device.Trigger(IrqIndex.Intx, 0, i % 2 == 0 ? [null] : [Requests.Duplicate(_client)]));
            EventFd.Consume(mine);
            device.None(IrqIndex.Intx, IrqSetFlags.ActionUnmask);
            Assert.Equal(0ul, EventFd.Consume(mine));
        }

        await done.CancelAsync();
        await firing;
    }

    [Fact]
    [Trait("Trap", "23")]
    public async Task Masking_by_eventfd_is_ENOTTY_and_masking_what_is_off_EINVAL()
    {
        await using var device = await OpenDevice.Open(_function);
        Assert.Equal(-(int)Errno.EINVAL, device.None(IrqIndex.Intx, IrqSetFlags.ActionMask));
        Assert.Equal(-(int)Errno.EINVAL, device.None(IrqIndex.Intx, IrqSetFlags.ActionUnmask));
        Assert.Equal(-(int)Errno.EINVAL, device.Mask(EventFd.Create()));

        Assert.Equal(0, device.Trigger(IrqIndex.Intx, 0, Requests.Duplicate(_client)));
        Assert.Equal(-(int)Errno.ENOTTY, device.Mask(EventFd.Create()));
        Assert.Equal(-(int)Errno.ENOTTY, device.Mask(null));
    }

    private async Task<OpenDevice> Enabled()
    {
        var device = await OpenDevice.Open(_function);
        Assert.Equal(0, device.Trigger(IrqIndex.Intx, 0, Requests.Duplicate(_client)));
        return device;
    }

    private static unsafe void Await(SafeFileHandle eventFd)
    {
        var entry = new pollfd { fd = (int)eventFd.DangerousGetHandle(), events = Libc.POLLIN };
        Assert.Equal(1, Libc.poll(&entry, 1, 10_000));
        Assert.Equal(1ul, EventFd.Consume(eventFd));
    }
}

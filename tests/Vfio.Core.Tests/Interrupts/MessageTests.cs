using Microsoft.Win32.SafeHandles;
using Vfio.Core.Tests.Scripted;
using Vfio.Native;

namespace Vfio.Core.Tests.Interrupts;

public sealed class MessageTests : IDisposable
{
    private readonly SafeFileHandle[] _clients = [.. Enumerable.Range(0, 4).Select(_ => EventFd.Create())];
    private readonly ScriptedFunction _function;
    private readonly int _msix;

    public MessageTests()
    {
        var hardware = new Hardware();
        hardware.Express();
        hardware.Msi(0x0084);
        _msix = hardware.Msix(4, 0, 0x800);
        _function = new(hardware.Bytes);
        _function.Lines.Msi = 4;
        _function.Lines.Msix = 4;
    }

    public void Dispose() => Array.ForEach(_clients, c => c.Dispose());

    [Fact]
    [Trait("Trap", "30")]
    public async Task Indexes_are_told_as_the_kernel_tells_them()
    {
        await using var device = await OpenDevice.Open(_function);

        Assert.Equal(new IrqInfo((IrqFlags)7, 1), device.GetIrqInfo(0).Value);
        Assert.Equal(new IrqInfo((IrqFlags)9, 4), device.GetIrqInfo(1).Value);
        Assert.Equal(new IrqInfo((IrqFlags)1, 4), device.GetIrqInfo(2).Value);
        Assert.Equal(new IrqInfo((IrqFlags)9, 1), device.GetIrqInfo(3).Value);
        Assert.Equal(new IrqInfo((IrqFlags)9, 1), device.GetIrqInfo(4).Value);
        Assert.Equal(Errno.EINVAL, device.GetIrqInfo(5).Error);
        _function.Lines.DynamicMsix = false;
        Assert.Equal(new IrqInfo((IrqFlags)9, 4), device.GetIrqInfo(2).Value);
    }

    [Theory]
    [InlineData(1u, uint.MaxValue)]
    [InlineData(2u, uint.MaxValue - 1)]
    [InlineData(3u, uint.MaxValue)]
    public async Task A_range_that_wraps_is_refused(uint start, uint count)
    {
        await using var device = await OpenDevice.Open(_function);
        Assert.Equal(0, device.Trigger(IrqIndex.Msix, 0, Client(0), Client(1), Client(2), Client(3)));

        Assert.Equal(-(int)Errno.EINVAL, device.None(IrqIndex.Msix, IrqSetFlags.ActionTrigger, count, start));
    }

    [Fact]
    [Trait("Trap", "21")]
    public async Task Vectors_signal_the_eventfds_that_they_were_given_and_can_be_added_one_by_one()
    {
        await using var device = await OpenDevice.Open(_function);

        Assert.Equal(0, device.Trigger(IrqIndex.Msix, 0, Client(0)));
        Assert.Equal(0, device.Trigger(IrqIndex.Msix, 2, Client(2)));
        Assert.Equal(0xC000u & 0x8000u, device.ReadConfig(_msix + 2, 2) & 0xC000);
        Enumerable.Range(0, 4).ToList().ForEach(_function.Lines.Fire);
        Assert.Equal([1ul, 0, 1, 0], _clients.Select(EventFd.Consume));

        Assert.Equal(0, device.Disable(IrqIndex.Msix));
        Enumerable.Range(0, 4).ToList().ForEach(_function.Lines.Fire);
        Assert.All(_clients, c => Assert.Equal(0ul, EventFd.Consume(c)));
        Assert.Equal(0u, device.ReadConfig(_msix + 2, 2) & 0x8000);
        Assert.Equal(-(int)Errno.EINVAL, device.Disable(IrqIndex.Msix));
    }

    [Fact]
    public async Task The_loopback_skips_vectors_without_an_eventfd()
    {
        await using var device = await OpenDevice.Open(_function);
        Assert.Equal(0, device.Trigger(IrqIndex.Msi, 0, Client(0), null, Client(2), Client(3)));

        Assert.Equal(0, device.Bool(IrqIndex.Msi, IrqSetFlags.ActionTrigger, 1, 1, 0, 1));
        Assert.Equal([1ul, 0, 0, 1], _clients.Select(EventFd.Consume));
        Assert.Equal(0, device.None(IrqIndex.Msi, IrqSetFlags.ActionTrigger, 3));
        Assert.Equal([1ul, 0, 1, 0], _clients.Select(EventFd.Consume));
    }

    [Fact]
    [Trait("Trap", "30")]
    public async Task MSI_does_not_grow_and_MSI_X_does_where_the_function_can()
    {
        await using var device = await OpenDevice.Open(_function);

        Assert.Equal(0, device.Trigger(IrqIndex.Msi, 0, Client(0)));
        Assert.Equal(-(int)Errno.EINVAL, device.Trigger(IrqIndex.Msi, 1, Client(1)));
        Assert.Equal(0, device.Disable(IrqIndex.Msi));
        _function.Lines.DynamicMsix = false;
        Assert.Equal(0, device.Trigger(IrqIndex.Msix, 0, Client(0)));
        Assert.Equal(-(int)Errno.EINVAL, device.Trigger(IrqIndex.Msix, 1, Client(1)));
    }

    [Fact]
    [Trait("Trap", "25")]
    public async Task A_block_that_fails_tears_down_even_vectors_that_worked_before()
    {
        await using var device = await OpenDevice.Open(_function);
        Assert.Equal(0, device.Trigger(IrqIndex.Msix, 0, Client(0), Client(1), Client(2), Client(3)));

        var closed = EventFd.Create();
        closed.Dispose();
        Assert.Equal(-(int)Errno.EBADF, device.Trigger(IrqIndex.Msix, 0, Client(0), Client(1), closed));
        Enumerable.Range(0, 4).ToList().ForEach(_function.Lines.Fire);
        Assert.Equal([0ul, 0, 0, 1], _clients.Select(EventFd.Consume));
        Assert.Equal(IrqIndex.Msix, device.Core.ActiveIrqIndex);
    }

    [Fact]
    public async Task A_first_block_that_fails_leaves_the_index_off()
    {
        await using var device = await OpenDevice.Open(_function);
        using var file = File.OpenHandle("/dev/null", FileMode.Open, FileAccess.ReadWrite);

        Assert.Equal(-(int)Errno.EINVAL, device.Trigger(IrqIndex.Msix, 0, Client(0), Requests.Duplicate(file)));
        Assert.Null(device.Core.ActiveIrqIndex);
        Assert.Equal(0, device.Trigger(IrqIndex.Msi, 0, Client(0)));
    }

    [Fact]
    [Trait("Trap", "22")]
    public async Task Too_few_vectors_answer_with_how_many_can_be_had_and_enable_nothing()
    {
        _function.Lines.Obtainable = 2;
        await using var device = await OpenDevice.Open(_function);

        Assert.Equal(2, device.Trigger(IrqIndex.Msix, 0, Client(0), Client(1), Client(2)));
        Assert.Null(device.Core.ActiveIrqIndex);
        Assert.Equal(0, device.Trigger(IrqIndex.Msix, 0, Client(0), Client(1)));
    }

    [Fact]
    [Trait("Trap", "24")]
    [Trait("Trap", "26")]
    public async Task Only_one_index_is_on_at_a_time_and_enabling_nothing_is_out_of_range()
    {
        await using var device = await OpenDevice.Open(_function);

        Assert.Equal(-(int)Errno.ERANGE, device.Trigger(IrqIndex.Msix, 0));
        Assert.Equal(0, device.Trigger(IrqIndex.Msix, 0, [null]));
        Assert.Equal(-(int)Errno.EINVAL, device.Trigger(IrqIndex.Msi, 0, Client(0)));
        Assert.Equal(-(int)Errno.EINVAL, device.Trigger(IrqIndex.Intx, 0, Client(0)));
        Assert.Equal(0, device.Trigger(IrqIndex.Request, 0, Client(0)));
    }

    [Theory]
    [Trait("Trap", "23")]
    [InlineData(0x20u, Errno.EINVAL)]
    [InlineData(0x23u, Errno.EINVAL)]
    [InlineData(0x25u, Errno.EINVAL)]
    [InlineData(0x27u, Errno.EINVAL)]
    [InlineData(0x61u, Errno.EINVAL)]
    [InlineData(0x01u, Errno.ENOTTY)]
    [InlineData(0x31u, Errno.ENOTTY)]
    [InlineData(0x39u, Errno.ENOTTY)]
    [InlineData(0x09u, Errno.ENOTTY)]
    [InlineData(0x11u, Errno.ENOTTY)]
    [InlineData(0x14u, Errno.ENOTTY)]
    public async Task A_request_needs_one_kind_of_data_and_one_action_that_its_index_knows(uint flags, Errno expected)
    {
        await using var device = await OpenDevice.Open(_function);
        Assert.Equal(0, device.Trigger(IrqIndex.Msix, 0, Client(0)));

        foreach (var index in new[] { IrqIndex.Msi, IrqIndex.Msix, IrqIndex.Error, IrqIndex.Request })
        {
            var result = device.SetIrqs(new() { Index = (uint)index, Flags = (IrqSetFlags)flags, Count = 1, Bools = [1], EventFds = [null] });
            Assert.Equal(expected, result.Error);
        }
    }

    [Theory]
    [Trait("Trap", "26")]
    [InlineData(IrqIndex.Msi)]
    [InlineData(IrqIndex.Msix)]
    public async Task Enabling_without_an_eventfd_turns_the_index_on_with_no_vector_that_signals(IrqIndex index)
    {
        await using var device = await OpenDevice.Open(_function);

        Assert.Equal(0, device.Trigger(index, 0, null, null, null));
        Assert.Equal(index, device.Core.ActiveIrqIndex);
        Assert.Equal(3, _function.Lines.EnabledVectors);
        Assert.Equal(0, device.None(index, IrqSetFlags.ActionTrigger, 3));
        Assert.Equal(0, _function.Lines.TriggerCount);
        Assert.Equal(0, device.Trigger(index, 1, Client(1)));
        _function.Lines.Fire(1);
        Assert.Equal([0ul, 1, 0, 0], _clients.Select(EventFd.Consume));
    }

    [Fact]
    public async Task One_eventfd_may_serve_several_vectors()
    {
        await using var device = await OpenDevice.Open(_function);
        var shared = Client(0);

        Assert.Equal(0, device.Trigger(IrqIndex.Msix, 0, shared, shared));
        Assert.Equal(0, device.Trigger(IrqIndex.Msix, 0, [null]));
        _function.Lines.Fire(1);
        Assert.Equal(1ul, EventFd.Consume(_clients[0]));
        Assert.Equal(0, device.Trigger(IrqIndex.Msix, 1, [null]));
        Assert.True(shared.IsClosed);
    }

    [Fact]
    public async Task A_full_counter_does_not_stop_the_device()
    {
        await using var device = await OpenDevice.Open(_function);
        var eventFd = Libc.eventfd(0, Libc.EFD_CLOEXEC);
        Fill(eventFd);

        Assert.Equal(0, device.Trigger(IrqIndex.Msix, 0, eventFd));
        Assert.Equal(0, device.None(IrqIndex.Msix, IrqSetFlags.ActionTrigger));
        Assert.Equal(ulong.MaxValue - 1, EventFd.Consume(eventFd));
    }

    [Fact]
    public async Task Being_asked_to_release_the_device_signals_the_request_index()
    {
        await using var device = await OpenDevice.Open(_function);
        device.RequestRelease(0);
        Assert.Equal(-(int)Errno.EINVAL, device.None(IrqIndex.Request, IrqSetFlags.ActionTrigger));
        Assert.Equal(0, device.Trigger(IrqIndex.Request, 0, Client(0)));

        device.RequestRelease(1);
        Assert.Equal(1ul, EventFd.Consume(_clients[0]));
        Assert.Equal(0, device.Bool(IrqIndex.Request, IrqSetFlags.ActionTrigger, 0));
        Assert.Equal(0, device.None(IrqIndex.Request, IrqSetFlags.ActionTrigger, 0));
        Assert.Equal(0, device.Bool(IrqIndex.Request, IrqSetFlags.ActionTrigger, 1));
        Assert.Equal(0ul, EventFd.Consume(_clients[0]));
    }

    private SafeFileHandle Client(int index) => Requests.Duplicate(_clients[index]);

    private static unsafe void Fill(SafeFileHandle eventFd)
    {
        var most = ulong.MaxValue - 1;
        Assert.Equal(8, Libc.write(eventFd, &most, 8));
    }
}

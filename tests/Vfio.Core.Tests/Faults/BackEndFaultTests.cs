using Microsoft.Win32.SafeHandles;
using Vfio.Core.Tests.Interrupts;
using Vfio.Core.Tests.Reset;
using Vfio.Core.Tests.Scripted;
using Vfio.Native;

namespace Vfio.Core.Tests.Faults;

/// <summary>A back end that throws costs its own device, and leaves nothing behind.</summary>
public sealed class BackEndFaultTests : IDisposable
{
    private static readonly TimeSpan Soon = TimeSpan.FromSeconds(30);
    private readonly SafeFileHandle _client = EventFd.Create();
    private readonly ScriptedBar _bar = new(0x1000);
    private readonly ScriptedFunction _function;

    public BackEndFaultTests()
    {
        var hardware = new Hardware();
        hardware.Express();
        hardware.Msix(4, 0, 0xF00);
        _function = new(hardware.Bytes) { Bars = { [0] = _bar } };
        _function.Lines.Msix = 4;
    }

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public void Dispose() => _client.Dispose();

    [Fact]
    public async Task One_that_throws_while_an_eventfd_unmasks_costs_not_the_thread_of_all()
    {
        await using var device = await OpenDevice.Open(_function);
        using SafeFileHandle unmask = EventFd.Create(), write = EventFd.Create();
        using SemaphoreSlim asked = new(0), written = new(0);
        Assert.Equal(0, device.Trigger(IrqIndex.Intx, 0, Requests.Duplicate(_client)));
        Assert.Equal(0, device.Unmask(Requests.Duplicate(unmask)));
        Assert.True(device.SetIoEventFd(0, 0x800, 4, 1, write).IsSuccess);
        _bar.OnAccess = (_, _) => written.Release();
        Assert.Equal(0, device.None(IrqIndex.Intx, IrqSetFlags.ActionMask));
        _function.Lines.OnAsked = () =>
        {
            asked.Release();
            throw Scripted();
        };

        EventFd.Signal(unmask);
        Assert.True(await asked.WaitAsync(Soon, Cancellation));
        EventFd.Signal(write);
        Assert.True(await written.WaitAsync(Soon, Cancellation));
    }

    [Fact]
    public async Task One_that_throws_while_a_postponed_write_wakes_it_costs_not_the_process()
    {
        await using var device = await OpenDevice.Open(_function);
        using SemaphoreSlim asked = new(0), written = new(0);
        Assert.Equal(0, device.Trigger(IrqIndex.Intx, 0, EventFd.Create()));
        Assert.True(device.SetIoEventFd(0, 0x800, 4, 1, _client).IsSuccess);
        _bar.OnAccess = (_, _) => written.Release();
        // It has no power state to sleep in, and so a write by eventfd wakes it.
        Assert.Equal(0, LowPowerRequests.Enter(device));
        _function.Lines.OnAsked = () =>
        {
            asked.Release();
            throw Scripted();
        };

        EventFd.Signal(_client);
        Assert.True(await asked.WaitAsync(Soon, Cancellation));
        Assert.True(await written.WaitAsync(Soon, Cancellation));
    }

    [Theory]
    [InlineData("config")]
    [InlineData("interrupts")]
    [InlineData("reset")]
    [InlineData("hook")]
    public async Task One_that_throws_at_close_is_closed_all_the_same(string what)
    {
        var device = await OpenDevice.Open(_function);
        using SafeFileHandle vector = EventFd.Create(), error = EventFd.Create();
        SafeFileHandle held = Requests.Duplicate(vector), heldError = Requests.Duplicate(error);
        Assert.Equal(0, device.Trigger(IrqIndex.Msix, 0, held));
        Assert.Equal(0, device.Trigger(IrqIndex.Error, 0, heldError));
        Assert.True(device.SetIoEventFd(0, 0x800, 4, 1, _client).IsSuccess);
        if (what == "config")
            _function.OnConfigWrite = (_, _, _) => throw Scripted();
        else if (what == "interrupts")
            _function.Lines.OnDisable = () => throw Scripted();
        else if (what == "reset")
            _function.OnReset = (_, _) => throw Scripted();
        else
            device.OnPrepare = _ => throw Scripted();

        await Assert.ThrowsAsync<InvalidOperationException>(() => device.CloseAsync(ResetCause.Close).AsTask());
        Assert.True(held.IsClosed);
        Assert.True(heldError.IsClosed);
        Assert.Null(_function.ErrorReported);
        Assert.Null(_function.Dma);
        Assert.Contains("reset Flr", _function.Log);
        // Nobody watches it any more.
        EventFd.Signal(_client);
        Assert.Equal(1ul, EventFd.Consume(_client));

        _function.OnConfigWrite = null;
        _function.Lines.OnDisable = null;
        _function.Lines.Disable(IrqIndex.Msix);
        _function.OnReset = null;
        device.OnPrepare = null;
        Assert.True((await device.OpenAsync(new() { Dma = new DmaSpace() }, Cancellation)).IsSuccess);
        await device.CloseAsync(ResetCause.Close);
    }

    [Theory]
    [InlineData("enable")]
    [InlineData("ask")]
    public async Task One_that_throws_when_INTx_is_turned_on_keeps_no_trigger(string what)
    {
        var device = await OpenDevice.Open(_function);
        if (what == "enable")
            _function.Lines.OnEnable = () => throw Scripted();
        else
            _function.Lines.OnAsked = () => throw Scripted();
        var given = Requests.Duplicate(_client);

        Assert.Throws<InvalidOperationException>(() => device.Trigger(IrqIndex.Intx, 0, given));
        Assert.True(given.IsClosed);
        _function.Lines.OnEnable = null;
        _function.Lines.OnAsked = null;
        Assert.Null(_function.Lines.Enabled);
        _function.Lines.SetAsserted(true);
        Assert.Equal(0ul, EventFd.Consume(_client));
        Assert.Equal(0, device.Trigger(IrqIndex.Intx, 0, Requests.Duplicate(_client)));
        Assert.Equal(1ul, EventFd.Consume(_client));
        await device.CloseAsync(ResetCause.Close);
    }

    [Fact]
    public async Task One_that_throws_when_it_is_woken_keeps_no_descriptor_of_the_request_that_woke_it()
    {
        await using var device = await OpenDevice.Open(_function);
        Assert.Equal(0, device.Trigger(IrqIndex.Intx, 0, EventFd.Create()));
        Assert.Equal(0, LowPowerRequests.Enter(device));
        _function.Lines.OnAsked = () => throw Scripted();
        var given = Requests.Duplicate(_client);

        Assert.Throws<InvalidOperationException>(() => device.Trigger(IrqIndex.Request, 0, given));
        Assert.True(given.IsClosed);
        _function.Lines.OnAsked = null;
    }

    [Fact]
    public async Task An_open_that_throws_leaves_nobody_to_be_told_of_errors()
    {
        var device = OpenDevice.Closed(_function);
        _function.OnConnect = () => throw Scripted();

        await Assert.ThrowsAsync<InvalidOperationException>(
            () => device.OpenAsync(new() { Dma = new DmaSpace() }, Cancellation).AsTask());
        Assert.Null(_function.ErrorReported);
        _function.OnConnect = null;
        Assert.True((await device.OpenAsync(new() { Dma = new DmaSpace() }, Cancellation)).IsSuccess);
        await device.CloseAsync(ResetCause.Close);
    }

    [Fact]
    public async Task A_variant_that_was_told_of_a_reset_is_told_of_its_end_whatever_the_back_end_throws()
    {
        await using var device = await OpenDevice.Open(_function);
        device.OnPrepare = _ => _function.OnConfigWrite = (_, _, _) => throw Scripted();

        await Assert.ThrowsAsync<InvalidOperationException>(() => device.ResetAsync(ResetCause.DeviceReset, Cancellation).AsTask());
        Assert.Equal(["prepare DeviceReset", "done DeviceReset"], device.Hooks);
        _function.OnConfigWrite = null;
        device.OnPrepare = null;
    }

    private static InvalidOperationException Scripted() => new("scripted");
}

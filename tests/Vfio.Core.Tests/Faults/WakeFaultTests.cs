using Microsoft.Win32.SafeHandles;
using Vfio.Core.Tests.Interrupts;
using Vfio.Core.Tests.Reset;
using Vfio.Core.Tests.Scripted;
using Vfio.Native;

namespace Vfio.Core.Tests.Faults;

/// <summary>Falling asleep, and waking a function that loses its state in D3hot, where a back end or a hook throws.</summary>
public sealed class WakeFaultTests : IDisposable
{
    private readonly SafeFileHandle _client = EventFd.Create();
    private readonly ScriptedFunction _function;

    public WakeFaultTests()
    {
        var hardware = new Hardware();
        hardware.Express();
        hardware.PowerManagement();
        _function = new(hardware.Bytes) { Bars = { [0] = new(0x1000) } };
    }

    public void Dispose() => _client.Dispose();

    [Fact]
    public async Task A_hook_that_throws_while_it_wakes_keeps_nobody_out()
    {
        await using var device = await OpenDevice.Open(_function);
        device.OnDone = cause => throw new InvalidOperationException("scripted");

        Assert.Equal(0, LowPowerRequests.Enter(device));
        Assert.Throws<InvalidOperationException>(() => LowPowerRequests.Read(device));
        device.OnDone = null;
        Assert.Equal(0, LowPowerRequests.Read(device));
    }

    [Fact]
    public async Task A_client_is_told_and_hears_INTx_again_also_where_waking_failed()
    {
        await using var device = await OpenDevice.Open(_function);
        using var intx = EventFd.Create();
        Assert.Equal(0, device.Trigger(IrqIndex.Intx, 0, Requests.Duplicate(intx)));
        Assert.Equal(0, LowPowerRequests.Enter(device, _client));
        _function.Lines.SetAsserted(true);
        device.OnDone = cause => throw new InvalidOperationException("scripted");

        Assert.Throws<InvalidOperationException>(() => LowPowerRequests.Read(device));
        Assert.Equal(1ul, EventFd.Consume(_client));
        Assert.Equal(1ul, EventFd.Consume(intx));
        device.OnDone = null;
        Assert.Equal(0, LowPowerRequests.Enter(device));
    }

    [Fact]
    public async Task An_entry_that_throws_has_not_begun()
    {
        await using var device = await OpenDevice.Open(_function);
        _function.OnConfigWrite = (_, _, _) => throw new InvalidOperationException("scripted");
        Assert.Throws<InvalidOperationException>(() => LowPowerRequests.Enter(device, _client));
        _function.OnConfigWrite = null;

        Assert.Equal(0, LowPowerRequests.Enter(device));
    }
}

using Vfio.Core.Tests.Scripted;

namespace Vfio.Core.Tests.Config;

public sealed class VpdTests
{
    [Fact]
    [Trait("Trap", "9")]
    public async Task VPD_transfers_complete_by_the_flag()
    {
        var (function, at, vpd) = WithVpd();
        await using var device = await OpenDevice.Open(function);

        device.WriteConfig(at + 2, 2, 8);
        Assert.Equal(0x8008u, device.ReadConfig(at + 2, 2));
        Assert.Equal(0x0B0A0908u, device.ReadConfig(at + 4));
        device.WriteConfig(at + 2, 2, 9);
        Assert.Equal(0x0C0B0A09u, device.ReadConfig(at + 4));

        device.WriteConfig(at + 4, 4, 0xCAFEF00D);
        device.WriteConfig(at + 2, 2, 0x8010);
        Assert.Equal(0x0010u, device.ReadConfig(at + 2, 2));
        Assert.Equal(0xCAFEF00D, BitConverter.ToUInt32(vpd, 0x10));
    }

    [Fact]
    public async Task VPD_ends_where_its_tags_do()
    {
        var (function, at, vpd) = WithVpd();
        await using var device = await OpenDevice.Open(function);

        device.WriteConfig(at + 2, 2, 44);
        Assert.Equal(0x8000u | 44, device.ReadConfig(at + 2, 2));
        Assert.Equal(0x00782D2Cu, device.ReadConfig(at + 4));
        device.WriteConfig(at + 2, 2, 48);
        Assert.Equal(0x8000u | 48, device.ReadConfig(at + 2, 2));
        Assert.Equal(0u, device.ReadConfig(at + 4));

        device.WriteConfig(at + 4, 4, 0xCAFEF00D);
        device.WriteConfig(at + 2, 2, 0x8000 | 44);
        Assert.Equal(0x8000u | 44, device.ReadConfig(at + 2, 2));
        Assert.Equal(44, vpd[44]);
    }

    [Fact]
    public async Task VPD_without_tags_is_none()
    {
        var (function, at, vpd) = WithVpd();
        vpd.AsSpan().Fill(0xFF);
        await using var device = await OpenDevice.Open(function);

        device.WriteConfig(at + 2, 2, 8);
        Assert.Equal(8u, device.ReadConfig(at + 2, 2));
    }

    [Fact]
    public async Task A_hook_that_writes_VPD_does_not_wait_for_a_transfer_that_waits_for_its_reset()
    {
        var hardware = new Hardware();
        hardware.Express();
        var at = hardware.Standard(0x03, 8);
        var function = new ScriptedFunction(hardware.Bytes);
        using ManualResetEventSlim polling = new(), closing = new();
        await using var device = await OpenDevice.Open(function, new ClosingSpace(closing));
        var cancellation = TestContext.Current.CancellationToken;
        function.OnConfigRead = (offset, _) =>
        {
            // The flag is not looked at a second time before the gate is closed.
            if (offset == at + 2 && !polling.IsSet)
            {
                polling.Set();
                Assert.True(closing.Wait(TimeSpan.FromSeconds(30), cancellation));
            }

            return null;
        };
        device.OnPrepare = _ => device.WriteConfig(at + 2, 2, 0);
        var transfer = Task.Run(() => device.WriteConfig(at + 2, 2, 0), cancellation);
        Assert.True(polling.Wait(TimeSpan.FromSeconds(30), cancellation));
        var reset = Task.Run(() => device.ResetAsync(ResetCause.DeviceReset, cancellation).AsTask(), cancellation);

        await Task.WhenAll(transfer, reset).WaitAsync(TimeSpan.FromSeconds(30), cancellation);
        device.OnPrepare = null;
    }

    [Fact]
    [Trait("Trap", "9")]
    public async Task A_VPD_transfer_that_fails_never_completes()
    {
        var hardware = new Hardware(256);
        var at = hardware.Standard(0x03, 8);
        await using var device = await OpenDevice.Open(new(hardware.Bytes));

        device.WriteConfig(at + 2, 2, 8);
        Assert.Equal(8u, device.ReadConfig(at + 2, 2));
        device.WriteConfig(at + 2, 2, 0x8001);
        Assert.Equal(0x8001u, device.ReadConfig(at + 2, 2));
    }

    /// <summary>47 bytes of data: an identifier, a list of fields, the end; apart from the tags each byte is its own address.</summary>
    private static (ScriptedFunction Function, int At, byte[] Vpd) WithVpd()
    {
        var hardware = new Hardware(256);
        var at = hardware.Standard(0x03, 8);
        var function = new ScriptedFunction(hardware.Bytes);
        var vpd = Enumerable.Range(0, 64).Select(i => (byte)i).ToArray();
        (vpd[0], vpd[1], vpd[2]) = (0x82, 0x20, 0);
        (vpd[35], vpd[36], vpd[37], vpd[46]) = (0x90, 8, 0, 0x78);
        function.OnConfigWrite = (offset, width, value) =>
        {
            if (offset != at + 2 || width != 2)
                return;
            var address = (int)(value & 0x7FFF);
            var data = function.ConfigBytes.AsSpan(at + 4, 4);
            if ((value & 0x8000) != 0)
                data.CopyTo(vpd.AsSpan(address));
            else
                vpd.AsSpan(address, 4).CopyTo(data);
            function.ConfigBytes[at + 3] ^= 0x80;
        };
        return (function, at, vpd);
    }

    // Transfers are cancelled for as long as an access keeps the gate from closing.
    private sealed class ClosingSpace(ManualResetEventSlim closing) : DmaSpace
    {
        public override void CancelTransfers()
        {
            base.CancelTransfers();
            closing.Set();
        }
    }
}

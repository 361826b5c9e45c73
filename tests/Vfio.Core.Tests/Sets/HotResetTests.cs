using Vfio.Core.Tests.Scripted;

namespace Vfio.Core.Tests.Sets;

public sealed class HotResetTests
{
    private readonly VfioPciCoreOptions _process = new();
    private readonly ScriptedSlot _slot = new();
    private readonly DmaSpace _memory = new();

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_function_on_a_root_bus_has_no_hot_reset()
    {
        await using var device = await OpenDevice.Open(new(new Hardware().Bytes));

        Assert.Equal(Errno.ENODEV, device.GetHotResetInfo().Error);
        Assert.Equal(Errno.ENODEV, (await device.HotResetAsync(Cancellation)).Error);
        await device.CloseAsync(ResetCause.Close);
        Assert.Equal(Errno.EINVAL, device.GetHotResetInfo().Error);
        Assert.Equal(Errno.EINVAL, (await device.HotResetAsync(Cancellation)).Error);
    }

    [Fact]
    [Trait("Trap", "34")]
    public async Task Device_ids_tell_open_ones_from_those_of_an_owned_group_and_both_from_what_is_somebody_elses()
    {
        ScriptedFunction mine = _slot.Add(0, group: 7), sibling = _slot.Add(1, group: 7), other = _slot.Add(2), closed = _slot.Add(3), unknown = _slot.Add(4);
        await using var device = await Open(mine);
        await using var foreign = await OpenDevice.Open(other, new DmaSpace(), _process);
        _ = OpenDevice.Closed(sibling, _process);
        _ = OpenDevice.Closed(closed, _process);

        var info = device.GetHotResetInfo().Value!;
        Assert.Equal(_slot.Functions.Select(f => f.Address), info.Devices.Select(d => d.Address));
        Assert.True(info.Devices[0].DeviceId > 0);
        Assert.Equal([HotResetDevice.Owned, HotResetDevice.NotOwned, HotResetDevice.NotOwned, HotResetDevice.NotOwned], info.Devices.Skip(1).Select(d => d.DeviceId));
        Assert.False(info.IsOwned);
        Assert.NotEqual(info.Devices[0].DeviceId, foreign.GetHotResetInfo().Value!.Devices[2].DeviceId);
        Assert.Equal(HotResetDevice.NotOwned, foreign.GetHotResetInfo().Value!.Devices[1].DeviceId);
        Assert.Equal(unknown.Address, info.Devices[4].Address);
    }

    [Theory]
    [Trait("Trap", "34")]
    [InlineData("unbound")]
    [InlineData("closed")]
    [InlineData("foreign")]
    public async Task One_function_that_is_not_the_callers_is_enough_to_refuse(string what)
    {
        await using var device = await Open(_slot.Add(0));
        var second = _slot.Add(1);
        var other = what == "unbound" ? null : OpenDevice.Closed(second, _process);
        if (what == "foreign")
            Assert.True((await other!.OpenAsync(new() { Dma = new DmaSpace() }, Cancellation)).IsSuccess);
        device.Hooks.Clear();

        Assert.False(device.GetHotResetInfo().Value!.IsOwned);
        Assert.Equal(Errno.EINVAL, (await device.HotResetAsync(Cancellation)).Error);
        Assert.Equal(0, _slot.Resets);
        Assert.Empty(device.Hooks);
        Assert.Equal(4, device.Read(0, 0, new byte[4]).Value);
    }

    [Fact]
    [Trait("Trap", "34")]
    public async Task A_closed_function_of_an_owned_group_is_reset_with_the_others_and_restored()
    {
        ScriptedFunction mine = _slot.Add(0, group: 7), sibling = _slot.Add(1, group: 7);
        _ = OpenDevice.Closed(sibling, _process);
        await using var device = await Open(mine);
        sibling.WriteConfig(0x10, 4, 0xFE000000);

        Assert.True(device.GetHotResetInfo().Value!.IsOwned);
        Assert.True((await device.HotResetAsync(Cancellation)).IsSuccess);
        Assert.Equal(0xFE000000u, sibling.Hardware32(0x10));
    }

    [Fact]
    [Trait("Trap", "34")]
    public async Task All_are_awake_told_and_stopped_before_the_one_reset_and_restored_before_any_is_told_that_it_is_over()
    {
        var hardware = new Hardware();
        var power = hardware.PowerManagement();
        var log = new List<string>();
        var devices = new List<OpenDevice>();
        foreach (var number in new[] { 0, 1, 2 })
        {
            var function = _slot.Add(number, config: hardware.Bytes);
            var device = await Open(function);
            device.WriteConfig(power + 4, 2, 3);
            Assert.Equal(3u, function.Hardware32(power + 4) & 3);
            function.OnConfigWrite = (at, _, value) => log.Add($"{number} {at:x}={value:x}");
            device.OnPrepare = cause => log.Add($"{number} prepare {cause}");
            device.OnDone = cause => log.Add($"{number} done {cause}");
            devices.Add(device);
        }

        _slot.OnReset = _ =>
        {
            log.Add("reset");
            return new(VfioResult.Success);
        };
        Assert.True((await devices[1].HotResetAsync(Cancellation)).IsSuccess);

        Assert.Equal(1, _slot.Resets);
        Assert.Equal(
            [
                "0 prepare PowerState", "0 44=0", "0 done PowerState", "1 prepare PowerState", "1 44=0", "1 done PowerState",
                "2 prepare PowerState", "2 44=0", "2 done PowerState",
                "0 prepare HotReset", "1 prepare HotReset", "2 prepare HotReset", "0 4=400", "1 4=400", "2 4=400", "reset",
                "2 done HotReset", "1 done HotReset", "0 done HotReset",
            ],
            log.Where(l => !l.Contains(" 4=3", StringComparison.Ordinal)));
        foreach (var device in devices)
        {
            Assert.Equal(0u, device.ReadConfig(power + 4, 2) & 3);
            await device.DisposeAsync();
        }
    }

    [Fact]
    [Trait("Trap", "11")]
    public async Task What_a_device_reset_leaves_survives_a_hot_reset_of_every_function()
    {
        var first = await Open(_slot.Add(0));
        var second = await Open(_slot.Add(1));
        foreach (var device in new[] { first, second })
        {
            device.WriteConfig(0x10, 4, 0xDEADBEEF);
            device.WriteConfig(0x3C, 1, 0x2A);
            device.WriteConfig(4, 2, 0x406);
        }

        Assert.True((await first.HotResetAsync(Cancellation)).IsSuccess);
        foreach (var device in new[] { first, second })
        {
            Assert.Equal(0xDEADB000u, device.ReadConfig(0x10));
            Assert.Equal(0x2Au, device.ReadConfig(0x3C, 1));
            Assert.Equal(0x406u, device.ReadConfig(4, 2));
            Assert.Equal(4, device.Read(0, 0, new byte[4]).Value);
            Assert.Equal(["prepare HotReset", "done HotReset"], device.Hooks);
            await device.CloseAsync(ResetCause.Close);
        }
    }

    [Fact]
    [Trait("Trap", "31")]
    public async Task An_access_or_a_reset_under_way_in_one_of_them_is_EBUSY_and_nobody_waits()
    {
        var mine = await Open(_slot.Add(0));
        var function = _slot.Add(1);
        var other = await Open(function);
        Busy? busy = null;
        function.Bars[0].OnAccess = (_, _) => busy!.Enter();
        using (busy = new Busy())
        {
            var access = Task.Run(() => other.Read(0, 0, new byte[4]), Cancellation);
            busy.Wait();
            Assert.Equal(Errno.EBUSY, (await mine.HotResetAsync(Cancellation)).Error);
            busy.Leave();
            Assert.Equal(4, (await access).Value);
        }

        function.Bars[0].OnAccess = null;
        using (busy = new Busy())
        {
            function.OnReset = (_, _) => new(busy.EnterAsync());
            var reset = other.ResetAsync(ResetCause.DeviceReset, Cancellation).AsTask();
            busy.Wait();
            Assert.Equal(Errno.EBUSY, (await mine.HotResetAsync(Cancellation)).Error);
            busy.Leave();
            Assert.True((await reset).IsSuccess);
        }

        function.OnReset = null;
        Assert.Equal(0, _slot.Resets);
        Assert.Equal(4, mine.Read(0, 0, new byte[4]).Value);
        Assert.True((await mine.HotResetAsync(Cancellation)).IsSuccess);
    }

    [Theory]
    [Trait("Trap", "31")]
    [InlineData(Errno.EAGAIN)]
    [InlineData(Errno.ENOTTY)]
    [InlineData(Errno.ETIMEDOUT)]
    public async Task What_the_slot_or_bus_answers_is_the_answer_and_everything_is_restored(Errno error)
    {
        var device = await Open(_slot.Add(0));
        _slot.OnReset = _ => new(error);

        Assert.Equal(error, (await device.HotResetAsync(Cancellation)).Error);
        Assert.Equal(["prepare HotReset", "done HotReset"], device.Hooks);
        Assert.Equal(4, device.Read(0, 0, new byte[4]).Value);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_variant_that_throws_in_a_hook_costs_the_others_nothing(bool inPrepare)
    {
        var first = await Open(_slot.Add(0));
        var second = await Open(_slot.Add(1));
        var third = await Open(_slot.Add(2));
        var calls = 0;
        Action<ResetCause> fail = _ =>
        {
            calls++;
            throw new InvalidOperationException("variant");
        };
        if (inPrepare)
            second.OnPrepare = fail;
        else
            second.OnDone = fail;

        Assert.Equal(Errno.EIO, (await first.HotResetAsync(Cancellation)).Error);
        Assert.Equal(inPrepare ? 0 : 1, _slot.Resets);
        Assert.Equal(["prepare HotReset", "done HotReset"], first.Hooks);
        Assert.Equal(inPrepare ? [] : ["prepare HotReset", "done HotReset"], third.Hooks);
        foreach (var device in new[] { first, second, third })
            Assert.Equal(4, device.Read(0, 0, new byte[4]).Value);
        await Assert.ThrowsAsync<InvalidOperationException>(async () => await second.HotResetAsync(Cancellation));
        Assert.Equal(2, calls);
        second.OnPrepare = second.OnDone = null;
        Assert.True((await third.HotResetAsync(Cancellation)).IsSuccess);
    }

    [Fact]
    public async Task A_hook_may_look_at_every_device_of_the_set()
    {
        var first = await Open(_slot.Add(0));
        var second = await Open(_slot.Add(1));
        var read = new List<int>();
        first.OnPrepare = first.OnDone = _ => read.Add(second.Core.Read(0, 0, new byte[4]).Value);
        second.OnPrepare = second.OnDone = _ => read.Add(first.Core.Read(0, 0, new byte[4]).Value);

        var reset = await first.HotResetAsync(Cancellation).AsTask().WaitAsync(TimeSpan.FromSeconds(30), Cancellation);
        Assert.True(reset.IsSuccess);
        Assert.Equal([4, 4, 4, 4], read);
    }

    [Fact]
    public async Task A_hot_reset_that_is_given_up_leaves_every_device_accessible()
    {
        var first = await Open(_slot.Add(0));
        var second = await Open(_slot.Add(1));
        using var giveUp = new CancellationTokenSource();
        _slot.OnReset = async token =>
        {
            await giveUp.CancelAsync();
            await Task.FromCanceled(token);
            return VfioResult.Success;
        };

        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await first.HotResetAsync(giveUp.Token));
        Assert.Equal(["prepare HotReset", "done HotReset"], second.Hooks);
        Assert.Equal(4, second.Read(0, 0, new byte[4]).Value);
    }

    [Fact]
    public async Task A_device_that_is_closed_meanwhile_waits_for_the_hot_reset_and_one_that_is_opened_does_so_too()
    {
        var first = await Open(_slot.Add(0, group: 1));
        var second = await Open(_slot.Add(1, group: 1));
        var third = OpenDevice.Closed(_slot.Add(2, group: 1), _process);
        using var busy = new Busy();
        _slot.OnReset = _ => new(busy.EnterAsync());

        var reset = first.HotResetAsync(Cancellation).AsTask();
        busy.Wait();
        var close = second.CloseAsync(ResetCause.Close).AsTask();
        var open = third.OpenAsync(new() { Dma = _memory }, Cancellation).AsTask();
        Assert.Equal(Errno.EBUSY, (await first.HotResetAsync(Cancellation)).Error);
        Assert.False(close.IsCompleted);
        Assert.False(open.IsCompleted);
        busy.Leave();
        Assert.True((await reset).IsSuccess);
        await close.WaitAsync(TimeSpan.FromSeconds(30), Cancellation);
        Assert.True((await open.WaitAsync(TimeSpan.FromSeconds(30), Cancellation)).IsSuccess);
        Assert.Equal(["prepare HotReset", "done HotReset", "prepare Close", "done Close"], second.Hooks);
        Assert.Equal(["prepare Open", "done Open"], third.Hooks);
    }

    [Fact]
    public async Task A_function_is_open_through_one_core_at_a_time()
    {
        var function = _slot.Add(0);
        await using var device = await Open(function);
        var second = OpenDevice.Closed(function, _process);

        Assert.Equal(Errno.EBUSY, (await second.OpenAsync(new() { Dma = _memory }, Cancellation)).Error);
        await device.CloseAsync(ResetCause.Close);
        Assert.True((await second.OpenAsync(new() { Dma = _memory }, Cancellation)).IsSuccess);
    }

    private Task<OpenDevice> Open(ScriptedFunction function) => OpenDevice.Open(function, _memory, _process);
}

using Vfio.Simulation.Tests.Guest;

namespace Vfio.Simulation.Tests;

/// <summary>The bus below a port, reset as a whole.</summary>
public sealed class BusResetTests
{
    private const int Command = 4, Memory = 2, Identity = 0;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_PF_and_its_VFs_are_one_domain_in_address_order_with_a_group_each()
    {
        await using var fixture = await Fixture.CreateAsync();
        var domain = fixture.Pf.HotResetDomain;

        Assert.NotNull(domain);
        Assert.All(fixture.Functions, f => Assert.Same(domain, f.HotResetDomain));
        Assert.Equal(fixture.Functions.Select(f => f.Address), domain.Functions.Select(f => f.Address));
        Assert.Equal(fixture.Functions.Count, domain.Functions.Select(f => f.Group).Distinct().Count());
    }

    [Fact]
    public async Task A_function_with_one_VF_counts_two_and_one_on_the_root_bus_has_no_domain()
    {
        await using var fixture = await Fixture.CreateAsync(Two("0000:01:00.0", "0000:00:04.0"));

        Assert.Equal(2, fixture.Vf(1).HotResetDomain!.Functions.Count);
        Assert.Null(fixture.Functions[0].HotResetDomain);
        Assert.Null(fixture.Functions[1].HotResetDomain);
    }

    [Fact]
    public async Task Devices_of_one_bus_go_down_together_and_those_of_another_do_not()
    {
        await using var fixture = await Fixture.CreateAsync(Two("0000:01:00.0", "0000:01:01.0", "0000:02:00.0"));
        var physical = fixture.Functions.Where(f => f.PhysicalFunction is null).ToArray();
        foreach (var function in physical)
            function.WriteConfig(Command, 2, Memory);

        Assert.Equal(4, physical[0].HotResetDomain!.Functions.Count);
        Assert.True((await physical[0].HotResetDomain!.ResetAsync(Cancellation)).IsSuccess);
        Assert.Equal([0u, 0u, Memory], physical.Select(f => f.ReadConfig(Command, 2)));
    }

    [Fact]
    public async Task The_VFs_end_with_VF_Enable_and_are_back_when_it_is_set_again()
    {
        await using var fixture = await Fixture.CreateAsync();
        var vf = fixture.Vf(0);
        var at = SrIov(fixture.Pf);
        vf.WriteConfig(Command, 2, 4);
        Assert.NotEqual(uint.MaxValue, vf.ReadConfig(Identity + 8, 4));

        Assert.True((await vf.HotResetDomain!.ResetAsync(Cancellation)).IsSuccess);
        Assert.Equal(0u, fixture.Pf.ReadConfig(at + 8, 2) & 1);
        Assert.Equal(uint.MaxValue, vf.ReadConfig(Identity + 8, 4));
        fixture.Pf.WriteConfig(at + 0x10, 2, 1);
        fixture.Pf.WriteConfig(at + 8, 2, 9);
        Assert.NotEqual(uint.MaxValue, vf.ReadConfig(Identity + 8, 4));
        Assert.Equal(0u, vf.ReadConfig(Command, 2));
    }

    private static int SrIov(IPciFunction function)
    {
        var at = 0x100;
        while ((function.ReadConfig(at, 4) & 0xFFFF) != 0x10)
            at = (int)(function.ReadConfig(at, 4) >> 20);
        return at;
    }

    private static string Two(params string[] addresses) => $$"""
        { "models": [ {{string.Join(",", addresses.Select((a, i) => $$"""
            { "model": "nvme", "address": "{{a}}", "nqn": "nqn.2026-11.org.example:{{i}}", "virtualFunctions": { "count": 1 } }
            """))}} ] }
        """;
}

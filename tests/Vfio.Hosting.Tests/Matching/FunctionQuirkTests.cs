using Microsoft.Extensions.DependencyInjection;

namespace Vfio.Hosting.Tests;

public sealed class FunctionQuirkTests
{
    [Theory]
    [Trait("Trap", "12")]
    [InlineData(0x8086, 0x1563, true)]
    [InlineData(0x8086, 0x1582, false)]
    [InlineData(0x8086, 0x1583, true)]
    [InlineData(0x8086, 0x158B, true)]
    [InlineData(0x8086, 0x158C, false)]
    [InlineData(0x8086, 0x37D2, true)]
    [InlineData(0x8087, 0x1563, false)]
    public void Broken_INTx_goes_by_the_kernels_ids(int vendor, int device, bool broken)
        => Assert.Equal(broken, FunctionQuirks.HasBrokenIntx(new((ushort)vendor, (ushort)device, 0, 0, 0x020000, 0)));

    [Fact]
    [Trait("Trap", "52")]
    public async Task The_generic_driver_refuses_a_function_on_the_denylist_and_explain_says_why()
    {
        await using var services = Compose(disableDenylist: false);
        var match = await MatchingTests.Host(services).ExplainAsync(Denied.Function.Address, null, TestContext.Current.CancellationToken);

        Assert.Null(match.Driver);
        var generic = Assert.Single(match.Candidates);
        Assert.Equal(CandidateVerdict.Refused, generic.Verdict);
        Assert.Contains("8086:19e2 is on the denylist", generic.Reason, StringComparison.Ordinal);
        var error = await Assert.ThrowsAsync<VfioException>(
            () => MatchingTests.Host(services).OpenAsync(Denied.Function.Address, null, TestContext.Current.CancellationToken).AsTask());
        Assert.Equal(Errno.ENODEV, error.Error);
    }

    [Fact]
    [Trait("Trap", "52")]
    public async Task The_denylist_can_be_disabled()
    {
        await using var services = Compose(disableDenylist: true);
        var match = await MatchingTests.Host(services).ExplainAsync(Denied.Function.Address, null, TestContext.Current.CancellationToken);

        Assert.Equal("vfio-pci", match.Driver);
    }

    private static ServiceProvider Compose(bool disableDenylist)
    {
        var services = new ServiceCollection();
        services.AddSingleton<IFunctionSource>(new FakeSource(Denied.Function));
        services.AddVfio(o => o.DisableDenylist = disableDenylist);
        return services.BuildServiceProvider();
    }

    private static class Denied
    {
        public static FakeFunction Function { get; } = new("0000:01:00.0", 0x19E2, vendor: 0x8086);
    }
}

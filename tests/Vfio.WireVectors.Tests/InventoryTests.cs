using System.Text.Json;

namespace Vfio.WireVectors.Tests;

public class InventoryTests
{
    private static readonly Dictionary<string, string?> Tests = Read();

    [Fact]
    public void Every_test_of_libvfio_user_has_vectors_or_a_reason_to_have_none()
    {
        var covered = Vectors.All.Select(vector => vector.Test).ToHashSet();
        Assert.DoesNotContain(Tests, test => (test.Value is null) != covered.Contains(test.Key));
    }

    [Fact]
    public void Every_vector_stands_for_a_test_that_there_is()
        => Assert.DoesNotContain(Vectors.All, vector => !Tests.ContainsKey(vector.Test));

    [Fact]
    public void Every_answer_that_is_not_libvfio_users_is_named_in_the_list_of_differences()
    {
        var list = File.ReadAllText(Path.Combine(Root(), "docs", "differences.md"));
        var differing = Vectors.All.Where(vector => vector.Differs is not null).ToList();
        Assert.NotEmpty(differing);
        var tests = Vectors.All.Select(vector => vector.Test).Distinct().Count();
        Assert.Contains($"{Vectors.All.Count} vectors, of {tests} of its", list, StringComparison.Ordinal);
        Assert.Contains($"answers {Vectors.All.Count - differing.Count} of them alike", list, StringComparison.Ordinal);
        Assert.DoesNotContain(differing, vector => !list.Contains($"`{vector.Name}`", StringComparison.Ordinal));
        Assert.DoesNotContain(differing, vector => !list.Contains($"| {vector.Differs} |", StringComparison.Ordinal));
    }

    private static string Root()
    {
        for (var at = new DirectoryInfo(AppContext.BaseDirectory); at is not null; at = at.Parent)
        {
            if (File.Exists(Path.Combine(at.FullName, "Vfio.sln")))
                return at.FullName;
        }

        throw new InvalidOperationException("the tests are not run inside the repository");
    }

    private static Dictionary<string, string?> Read()
    {
        using var json = JsonDocument.Parse(File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "tests-of-libvfio-user.json")));
        return json.RootElement.EnumerateObject()
            .SelectMany(module => module.Value.EnumerateObject(), (module, test) => (Module: module.Name, Test: test))
            .ToDictionary(one => $"{one.Module}::{one.Test.Name}", one => one.Test.Value.GetString());
    }
}
